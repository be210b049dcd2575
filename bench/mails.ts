/** The mails of the benches: 1.6 kB of HTML, its text, and with every fifth one a PDF of 50 kB. The same every time. */

/** One row of a send request. */
export interface Row {
  to: { address: string; name: string };
  data: Record<string, unknown>;
}

/** Every how manieth mail has a document. */
export const documentEvery = 5;

const documentBytes = 50_000;
const paragraph =
  'Votre échéance approche : le montant ci-dessous sera prélevé à la date indiquée, sauf avis contraire de votre part. ' +
  'Pour toute question, votre conseiller répond du lundi au vendredi, de 9 h à 18 h.';
const line = '<li>{{ item.label }} : <b>{{ item.amount }}</b></li>';

/** The template, in Liquid: a greeting, a list, closing words. Rendered it has about 1.6 kB of HTML. */
export const template = {
  subject: 'Échéance {{ contract }} du {{ due }}',
  text: `Bonjour {{ name }},\n\n${paragraph}\n\n{% for item in items %}- {{ item.label }} : {{ item.amount }}\n{% endfor %}\nContrat {{ contract }}, échéance du {{ due }}.\n`,
  html: `<!doctype html><html lang="fr"><body style="font-family: sans-serif; color: #222"><h1>Bonjour {{ name }},</h1>${`<p style="margin: 0 0 1em">${paragraph}</p>`.repeat(3)}<ul>{% for item in items %}${line}{% endfor %}</ul><p>Contrat <b>{{ contract }}</b>, échéance du {{ due }}.</p></body></html>`,
};

/** The recipient of a number, with the data of their mail. */
export function rowOf(number: number): Row {
  const name = `Hélène Lefèvre-${number}`;
  return {
    to: { address: `p${number}@people.test`, name },
    data: {
      name,
      contract: `C-${number}`,
      due: '1er janvier 2027',
      items: ['Garantie principale', 'Assistance', 'Protection juridique', 'Frais'].map((label, index) => ({
        label,
        amount: `${(number % 900) + index},50 €`,
      })),
    },
  };
}

/** Bytes that are a PDF as far as anybody looks, and do not compress away. */
export function pdf(): Buffer {
  const filler = Buffer.alloc(documentBytes - 20);
  for (let index = 0; index < filler.length; index += 1) filler[index] = (index * 7919 + (index >> 3)) & 0xff;
  return Buffer.concat([Buffer.from('%PDF-1.4\n'), filler, Buffer.from('\n%%EOF\n')]);
}
