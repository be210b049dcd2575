/** The pages of `/u/{token}`: HTML without a script or anything from elsewhere, in French or English. */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { Language } from '../errors.ts';
import type { Refusal, Standing } from '../messages/unsubscribe/unsubscribe.ts';

const words = {
  fr: {
    title: 'Désabonnement',
    doneTitle: 'Désabonnement enregistré',
    receives: (name: string) => `${name} vous envoie des courriels.`,
    legend: 'Que souhaitez-vous ne plus recevoir ?',
    type: (title: string) => `Les courriels « ${title} »`,
    prospecting: 'Les offres et sollicitations par courriel',
    all: (name: string) => `Tous les courriels envoyés par ${name}`,
    allHint: 'Y compris les avis qui concernent vos dossiers, à l’adresse où ce courriel vous a été envoyé.',
    button: 'Me désabonner',
    allButton: 'Ne plus rien recevoir',
    doneType: (title: string) => `C’est fait : vous ne recevrez plus les courriels « ${title} ».`,
    doneProspecting: 'C’est fait : vous ne recevrez plus d’offres ni de sollicitations par courriel.',
    doneAll: (name: string) =>
      `C’est fait : vous ne recevrez plus, à cette adresse, aucun courriel envoyé par ${name}.`,
    only: (name: string) =>
      `Vous pouvez ne plus recevoir aucun courriel envoyé par ${name} à cette adresse, y compris les avis qui concernent vos dossiers.`,
    more: (name: string) =>
      `Vous pouvez aussi ne plus recevoir aucun courriel envoyé par ${name} à cette adresse, y compris les avis qui concernent vos dossiers.`,
    again: (name: string) => `Pour en recevoir à nouveau, adressez-vous à ${name}.`,
    trial: 'Ceci est un message de test : rien n’est changé, quel que soit votre choix.',
    trialDone: 'Message de test : rien n’a été changé.',
    faults: {
      gone: [
        'Ce lien ne mène nulle part',
        'Il est incomplet ou n’est plus valable. Ouvrez-le à nouveau depuis le courriel.',
      ],
      choice: [
        'Votre choix n’a pas été compris',
        'Ouvrez à nouveau le lien du courriel et choisissez ce que vous ne voulez plus recevoir.',
      ],
      busy: ['Trop de demandes', 'Attendez une minute, puis recommencez : rien n’a encore été changé.'],
      later: ['Ce n’est pas possible en ce moment', 'Recommencez dans quelques minutes : rien n’a encore été changé.'],
    },
  },
  en: {
    title: 'Unsubscribe',
    doneTitle: 'Unsubscribed',
    receives: (name: string) => `${name} sends you emails.`,
    legend: 'What do you no longer want to receive?',
    type: (title: string) => `Emails “${title}”`,
    prospecting: 'Offers and solicitations by email',
    all: (name: string) => `All emails from ${name}`,
    allHint: 'Including notices about your own files, at the address where this email was sent to you.',
    button: 'Unsubscribe',
    allButton: 'Receive nothing more',
    doneType: (title: string) => `Done: you will no longer receive emails “${title}”.`,
    doneProspecting: 'Done: you will no longer receive offers or solicitations by email.',
    doneAll: (name: string) => `Done: you will no longer receive emails from ${name} at this address.`,
    only: (name: string) =>
      `You can stop all emails from ${name} to this address, including notices about your own files.`,
    more: (name: string) =>
      `You can also stop all emails from ${name} to this address, including notices about your own files.`,
    again: (name: string) => `To receive them again, please contact ${name}.`,
    trial: 'This is a test message: nothing is changed, whatever you choose.',
    trialDone: 'Test message: nothing was changed.',
    faults: {
      gone: ['This link leads nowhere', 'It is incomplete or no longer valid. Open it again from the email.'],
      choice: [
        'Your choice was not understood',
        'Open the link of the email again and choose what you no longer want to receive.',
      ],
      busy: ['Too many requests', 'Wait a minute and try again: nothing has been changed yet.'],
      later: ['This is not possible at the moment', 'Try again in a few minutes: nothing has been changed yet.'],
    },
  },
} as const;

const style = `
:root { color-scheme: light dark; --text: #1b1b1f; --page: #f4f4f6; --card: #fff; --line: #6b6b76; --accent: #0b4fa8; --on-accent: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #f1f1f4; --page: #17171b; --card: #232329; --line: #a2a2ae; --accent: #9cc4ff; --on-accent: #10243f; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem 1rem; background: var(--page); color: var(--text); font: 1.0625rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 36rem; margin: 0 auto; padding: 1.5rem; background: var(--card); border-radius: .75rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
main > :last-child { margin-bottom: 0; }
.note { padding: .75rem 1rem; border-left: .25rem solid var(--accent); background: var(--page); }
fieldset { margin: 0 0 1.5rem; padding: 0; border: 0; }
legend { margin: 0 0 .75rem; padding: 0; font-weight: 600; }
label { display: flex; gap: .75rem; margin: 0 0 .75rem; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; }
input { flex: none; width: 1.25rem; height: 1.25rem; margin: .2rem 0 0; accent-color: var(--accent); }
small { display: block; font-size: .9375rem; }
button { min-height: 2.75rem; padding: .6rem 1.25rem; border: 2px solid var(--accent); border-radius: .5rem; background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
@media (forced-colors: active) { main { border: 1px solid; } }
@media (max-width: 30rem) { body { padding: 0; background: var(--card); } main { padding: 1.25rem; border-radius: 0; } button { width: 100%; } }
`;

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function page(language: Language, heading: string, body: string): string {
  const title = escapeHtml(heading);
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
}

const paragraph = (text: string, attributes = '') => `<p${attributes}>${escapeHtml(text)}</p>`;

/** Buttons rather than links: what follows a link to look behind it must change nothing. */
const form = (inside: string, button: string) => `<form method="post">
${inside}
<button type="submit">${escapeHtml(button)}</button>
</form>`;

function option(value: Refusal, text: string, hint: string | null, checked: boolean): string {
  const explained = hint === null ? '' : `<small>${escapeHtml(hint)}</small>`;
  const input = `<input type="radio" name="choice" value="${value}"${checked ? ' checked' : ''}>`;
  return `<label>${input}<span>${escapeHtml(text)}${explained}</span></label>`;
}

/** The way to refuse what is not refused yet. */
function choices(language: Language, { organisation, kind, refused }: Standing): string {
  const said = words[language];
  if (kind === null || refused.kind) {
    const text = kind === null ? said.only(organisation) : said.more(organisation);
    return `${paragraph(text)}\n${form('<input type="hidden" name="choice" value="all">', said.allButton)}`;
  }
  const own = kind.title === null ? said.prospecting : said.type(kind.title);
  const options = [option('kind', own, null, true), option('all', said.all(organisation), said.allHint, false)].join(
    '\n',
  );
  return form(`<fieldset>\n<legend>${escapeHtml(said.legend)}</legend>\n${options}\n</fieldset>`, said.button);
}

function refusedText(language: Language, { organisation, kind, refused }: Standing): string | null {
  const said = words[language];
  if (refused.all) return said.doneAll(organisation);
  if (kind === null || !refused.kind) return null;
  return kind.title === null ? said.doneProspecting : said.doneType(kind.title);
}

/**
 * The page of a link: how matters stand, and the way to refuse more.
 * @param acted whether it answers a click.
 */
export function standingPage(language: Language, standing: Standing, acted: boolean): string {
  const said = words[language];
  const { organisation, trial, refused } = standing;
  const done = refusedText(language, standing);
  const parts = [
    ...(trial ? [paragraph(acted ? said.trialDone : said.trial, ' class="note"')] : []),
    done === null ? paragraph(said.receives(organisation)) : paragraph(done, ' class="note" role="status"'),
    refused.all ? paragraph(said.again(organisation)) : choices(language, standing),
  ];
  return page(language, done === null ? said.title : said.doneTitle, parts.join('\n'));
}

/** The page of what cannot be done. It says the same whatever was wrong with a link. */
export function faultPage(language: Language, fault: keyof (typeof words)['fr']['faults']): string {
  const [heading, text] = words[language].faults[fault];
  return page(language, heading, paragraph(text));
}

/** Sends a page. Nobody keeps it, and whoever is told of it is not told where it was. */
export function sendPage(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply
    .code(status)
    .headers({
      'content-security-policy': policy,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-robots-tag': 'noindex, nofollow',
    })
    .type('text/html; charset=utf-8')
    .serializer(String)
    .send(html);
}
