/** Templates as older applications wrote them: 7 kB of HTML each, fields in all their syntaxes. The same every time. */

const styles = `<style type="text/css">
  body { font-family: Arial, sans-serif; color: #222222; margin: 0 }
  td.entete { background: #003b71; color: #ffffff; padding: 12px }
  a { color: #003b71 }
</style>`;
const words =
  'Votre dossier a bien &eacute;t&eacute; enregistr&eacute; par nos services ; il sera examin&eacute; dans les meilleurs d&eacute;lais, '.split(
    ' ',
  );

/** What one application wrote for the fields of a letter: name, date, document, a link. */
const fields = [
  ['${personne/personne_nom}', '${action_date# l j F Y &agrave; H:i}', '${tableN.piece/titre}', '${lien_espace}'],
  ['{Adr_Titre} {Adr_Nom}', '{Date_Jour}', '{Piece_Titre}', '[URL_PJ_WEB]'],
  ['$(prenom) $(nom)', '${debut# d/m/Y}', '$(piece)', '[URL_ESPACE]'],
] as const;

/** A paragraph of some hundred words, another one for each number. */
function paragraph(number: number, field: string): string {
  const said = Array.from({ length: 60 }, (_, place) => words[(number + place * 7) % words.length]).join(' ');
  return `<p style="margin: 0 0 12px 0; line-height: 1.5">${said} ${field} ${said.slice(0, 120)}</p>`;
}

/** Places that a check tells of, by the number of the template: every tenth has one. */
export const hasFinding = (number: number): boolean => number % 10 === 3;
/** Fields that are none: every twentieth template has one. */
export const isNotUnderstood = (number: number): boolean => number % 20 === 7;

/** The template of a number. */
export function oldTemplate(number: number): string {
  const [name, date, piece, link] = fields[number % fields.length] ?? fields[0];
  const odd = isNotUnderstood(number) ? '<p>Total : ${montant+frais}</p>' : '';
  const typed = hasFinding(number) ? '<p>Contact : gestion@courtage.example</p>' : '';
  const rows = Array.from(
    { length: 8 },
    (_, row) =>
      `<tr><td class="libelle" width="40%">Pi&egrave;ce ${row + 1}</td><td>${piece}</td><td>${date}</td></tr>`,
  );
  return `<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Courrier ${number}</title>${styles}</head><body>
<table width="600" cellpadding="0" cellspacing="0" align="center"><tr><td class="entete">R&eacute;f&eacute;rence ${number}</td></tr><tr><td>
<p>Bonjour ${name},</p>
${Array.from({ length: 9 }, (_, place) => paragraph(number + place, place % 2 === 0 ? date : name)).join('\n')}
<table border="1">${rows.join('\n')}</table>
<p><a href="https://espace.example/dossier">${link}</a></p>${odd}${typed}
</td></tr></table></body></html>
`;
}
