import t from 'tap';
import { addFieldLists } from '../../support/field-lists.ts';
import { startService } from '../../support/service.ts';
import { addTemplate, must } from '../../support/templates.ts';

t.test('J2 · the full list of available fields can be consulted, with title, type and example', async (t) => {
  const service = await startService(t);
  await addFieldLists(service);
  const { items } = must(await service.inject('GET', '/v1/fields'), 200);
  const shown = items.map(
    ({ source, path, type, scope }: Record<string, string>) => `${source} ${path} ${type} ${scope}`,
  );
  t.same(shown, [
    'action action_date string shared',
    'action action_site object shared',
    'action action_site.ville string shared',
    'action participant object shared',
    'action participant.nom string individual',
    'action pieces array shared',
    'action pieces[].titre string shared',
    'dossier numero string shared',
    'personne personne object shared',
    'personne personne.civilite string shared',
    'personne personne.nom string shared',
    'service recipient object shared',
    'service recipient.type string shared',
    'service recipient.externalId string shared',
    'service recipient.displayName string shared',
    'service recipient.attributes object shared',
    'service sender object shared',
    'service sender.name string shared',
    'service sender.address string shared',
    'service sender.signature string shared',
    'service unsubscribe_url string shared',
  ]);
  t.match(items[0], { title: 'Date', format: 'date-time', example: '2022-03-05T09:30:00+01:00', description: null });
  const other = await service.addTenant('Autre');
  const theirs = must(await service.inject('GET', '/v1/fields', { key: other.key }), 200).items;
  t.same(new Set(theirs.map(({ source }: { source: string }) => source)), new Set(['service']));
});

t.test('J2 · signets and PHP dates of the old application become fields of the list, and are sent', async (t) => {
  const service = await startService(t);
  await addFieldLists(service);
  const old = {
    subject: 'Rendez-vous du ${action_date# j F Y à H:i}',
    text: 'Bonjour ${tableN.participant/nom}, à ${action_site/ville}.',
    html: '<p>Bonjour ${tab.participant/nom}, le ${action_date# l j F Y}.</p>',
  };
  const converted = must(await service.inject('POST', '/v1/templates/convert', { body: old }), 200);
  t.same(converted.problems, []);
  const { subject, text, html } = converted;
  const data = { participant: { nom: 'Anna' }, action_site: { ville: 'Lyon' }, action_date: '2022-03-05T08:30:00Z' };
  const inLoop = (part: string) => part.replaceAll('participant.participant.', 'participant.');
  const parts = { subject, text: inLoop(text), html: inLoop(html) };
  const path = await addTemplate(service, { key: 'rendez-vous', trigger: 'activity' }, parts);
  t.match(must(await service.inject('POST', `${path}/preview`, { body: { data } }), 200), {
    subject: 'Rendez-vous du 5 mars 2022 à 09:30',
    text: 'Bonjour Anna, à Lyon.',
    html: '<p>Bonjour Anna, le samedi 5 mars 2022.</p>',
  });
});
