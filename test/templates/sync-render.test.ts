/** The shorter way through a template gives what LiquidJS's own gives: the same text, or the same first error. */
import { type Template, toValueSync } from 'liquidjs';
import t from 'tap';
import {
  boundedOutput,
  createContext,
  engineOf,
  parsePart,
  TEMPLATE_PARTS,
  type TemplatePart,
} from '../../src/templates/rendering/liquid.ts';
import { hostileRows } from './hostile-template-rows.ts';

const clock = { at: new Date('2022-03-05T08:30:00Z'), timezone: 'Europe/Paris', locale: 'fr-FR' };
const data = {
  nom: 'D’Hérouville & fils',
  vide: null,
  non: false,
  zero: 0,
  liste: ['a', '<b>', ['c']],
  gens: [{ nom: 'A', ages: [1, 2] }, { nom: '"B"' }],
  objet: { 'deux mots': 'x', size: 7, first: 'p' },
  cle: 'deux mots',
};
const texts = [
  'Bonjour {{ nom }}, {{ vide }}|{{ non }}|{{ zero }}|{{ liste }}',
  '{{ liste[0] }}{{ liste.first }}{{ liste.last }}{{ liste.size }}{{ liste[-1] }}{{ liste["size"] }}',
  '{{ objet["deux mots"] }}{{ objet[cle] }}{{ objet.size }}{{ objet.first }}{{ nom.size }}',
  '{% for p in gens %}{{ forloop.index }}{{ forloop.last }}{{ p.nom }}{% for a in p.ages %}{{ a }}{{ forloop.parentloop.index | default: "-" }}{% else %}none{% endfor %}{% endfor %}',
  '{% for p in gens %}{% if p.nom == "A" %}{% continue %}{% endif %}{{ p.nom }}{% break %}never{% endfor %}after',
  '{% assign x = nom | upcase %}{% capture y %}{{ x }}<br>{% endcapture %}{{ x }}{{ y }}{{ y | size }}{{ nom | escape }}',
  '{% for i in (1..2) %}{% case 1 %}{% when 1 %}{% break %}{% when 1 %}A{{ nom }}B{% endcase %}{% endfor %}',
  '{% for i in (1..2) %}{% case 1 %}{% when 1 %}a{% continue %}{% when 1 %}A{{ nom }}B{% endcase %}c{% endfor %}',
  '{% increment zero %}{{ zero }}{% cycle "a", nom %}{% case zero %}{% when 1 %}one{% else %}{{ nom }}{% endcase %}',
  '{% liquid\nassign z = 1\necho nom\nif z\necho z\nendif\n%}{{- nom -}} {%- if absent %}x{% else %}{{ absent | default: "d" }}{% endif %}',
  '{{ "now" | date: "%F" }}{{ 1 | plus: 2 }}{{ (1..3) }}{{ (1..3).size }}{{ true }}{{ "a" }}{{ 1.5 }}{{ nil }}{{ empty }}',
  'a{{ absent }}b',
  '{{ nom.absent.more }}',
  '{{ objet }}',
  '{% for p in gens %}{{ p.ages.absent }}{% endfor %}',
  '{{ objet[absent] }}{{ gens[0].constructor }}',
  '{{ nom | append: absent }}',
];

interface Failure {
  name: string;
  message: string;
  errors?: Failure[];
}

/** LiquidJS's own way goes on after an error, and has those of each block together. */
function firstOf(failure: Failure): Failure {
  const [first] = failure.errors ?? [];
  return first === undefined ? failure : firstOf(first);
}

function render(part: TemplatePart, templates: Template[], given: object, own: boolean): string {
  const engine = engineOf(part);
  const context = createContext(engine, given, clock, 10_000, own);
  const output = boundedOutput();
  try {
    toValueSync(engine.renderer.renderTemplates(templates, context, output) as Generator<unknown, string>);
    return `gives ${output.buffer.toWellFormed()}`;
  } catch (error) {
    const first = firstOf(error as Failure);
    return `throws ${first.name}: ${first.message}`;
  }
}

t.test('texts of every tag and of every kind of field', async (t) => {
  for (const text of texts) {
    for (const part of TEMPLATE_PARTS) {
      const templates = parsePart(part, text);
      t.equal(render(part, templates, data, false), render(part, templates, data, true), `${part}: ${text}`);
    }
  }
});

t.test('hostile texts that end soon', async (t) => {
  let compared = 0;
  for (const { class: kind, name, parts, json, outcome } of hostileRows) {
    if (outcome.kind === 'refused' || outcome.kind === 'data' || kind === 'cpu') continue;
    for (const part of TEMPLATE_PARTS) {
      const source = parts[part];
      if (source === undefined || name.startsWith('loops')) continue;
      const templates = parsePart(part, source);
      const short = render(part, templates, JSON.parse(json), false);
      const own = render(part, templates, JSON.parse(json), true);
      // What they give is no name for a test: it has line ends of every kind.
      const alike = short === own || bothTooLarge(short, own);
      t.ok(alike, `${kind}, ${name}`, {
        short: JSON.stringify(short.slice(0, 200)),
        own: JSON.stringify(own.slice(0, 200)),
      });
      compared += 1;
    }
  }
  t.ok(compared > 40, `${compared} were compared`);
});

/** Which of two limits is met first when one goes on after the other does not matter. */
function bothTooLarge(one: string, other: string): boolean {
  return [one, other].every((end) => /^throws .*(too_large|memory alloc limit|too long)/.test(end));
}
