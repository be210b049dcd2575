import { fileURLToPath } from 'node:url';
import PDFDocument, { type ParsedFont } from 'pdfkit';
import { editionDate, frenchDate, type NoticeRow } from './edition-run.ts';

const colours = {
  ink: '#1f2933',
  quiet: '#5f6c7b',
  brand: '#1d4e63',
  accent: '#c8963e',
  band: '#eef3f5',
  line: '#c5d0d6',
};
const left = 51;
const right = 544;
const width = right - left;

const broker = {
  name: 'Cabinet Aubépine',
  trade: 'Courtage d’assurances',
  lines: ['12, quai de la Fosse, 44000 NANTES', '02 40 00 00 00 · gestion@aubepine-courtage.example'],
};

const fontFiles = { Regular: 'DejaVuSans.ttf', Bold: 'DejaVuSans-Bold.ttf', Serif: 'DejaVuSerif-Bold.ttf' } as const;

/** Parsed once for all notices: parsing takes far longer than drawing one. Each document still embeds its own subset. */
const parsedFonts = new Map<string, ParsedFont>();

/** Latin letters, U+0020 to U+017F. */
const alphabet = String.fromCodePoint(...Array.from({ length: 0x160 }, (_, index) => 0x20 + index));

function useFonts(document: PDFDocument): void {
  for (const [name, file] of Object.entries(fontFiles)) {
    const path = fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${file}`));
    document.registerFont(name, parsedFonts.get(name) ?? path);
    // Opened here, always in this order: pdfkit numbers the fonts as they are opened, and the bytes must not change.
    const { font } = document.font(name)._font;
    // A letter first met as a part of an accented one (E in É) would be kept without its character, and not be found
    // by a search in this notice and the next: every letter is met by itself before anything is drawn.
    if (!parsedFonts.has(name)) font.layout(alphabet);
    parsedFonts.set(name, font);
  }
}

function drawLetterhead(document: PDFDocument): void {
  document.rect(0, 0, 595, 8).fill(colours.brand);
  document.rect(0, 8, 595, 2).fill(colours.accent);
  document.circle(left + 20, 54, 20).fill(colours.brand);
  // A hawthorn leaf, the sign of the house.
  document.moveTo(left + 20, 40).bezierCurveTo(left + 33, 46, left + 30, 62, left + 20, 68);
  document.bezierCurveTo(left + 10, 62, left + 7, 46, left + 20, 40).fill('#ffffff');
  document
    .moveTo(left + 20, 46)
    .lineTo(left + 20, 68)
    .lineWidth(1.2)
    .stroke(colours.accent);
  document
    .font('Serif', 17)
    .fillColor(colours.brand)
    .text(broker.name, left + 52, 34, { lineBreak: false });
  document
    .font('Regular', 9)
    .fillColor(colours.quiet)
    .text(broker.trade, left + 52, 57, { lineBreak: false });
  for (const [index, line] of broker.lines.entries()) {
    document.font('Regular', 7.5).text(line, right - 250, 40 + index * 12, { width: 250, align: 'right' });
  }
}

/** The address stands where the window of a French DL envelope shows it. Long lines wrap; what does not fit is cut. */
function drawAddress(document: PDFDocument, row: NoticeRow): void {
  const box = { x: 312, y: 118, width: 232, height: 100 };
  document.roundedRect(box.x, box.y, box.width, box.height, 4).lineWidth(0.6).stroke(colours.line);
  const inner = { width: box.width - 20 };
  const lines = [`${row.title} ${row.firstName} ${row.lastName}`, ...row.address];
  let y = box.y + 10;
  for (const [index, line] of lines.entries()) {
    document.font(index === 0 ? 'Bold' : 'Regular', index === 0 ? 9.5 : 9).fillColor(colours.ink);
    const height = Math.min(document.heightOfString(line, inner), 36);
    document.text(line, box.x + 10, y, { ...inner, height: height + 1, ellipsis: true });
    y += height + 3;
  }
}

function drawReferences(document: PDFDocument, row: NoticeRow): void {
  const entries = [
    ['Dossier', row.fileNumber],
    ['Contrat', row.contractNumber],
    ['Risque', row.riskLabel],
    ['Période', row.period],
  ] as const;
  let y = 122;
  for (const [label, value] of entries) {
    document
      .font('Regular', 7.5)
      .fillColor(colours.quiet)
      .text(label.toUpperCase(), left, y + 1, { width: 58 });
    document
      .font('Bold', 8)
      .fillColor(colours.ink)
      .text(value, left + 60, y, { width: 196 });
    y = document.y + 6;
  }
}

function drawLetter(document: PDFDocument, row: NoticeRow): void {
  document.font('Regular', 9).fillColor(colours.quiet);
  document.text(`Nantes, le ${frenchDate(editionDate)}`, left, 240, { width, align: 'right' });
  document.font('Serif', 16).fillColor(colours.brand).text('Avis d’échéance', left, 258, { lineBreak: false });
  document.rect(left, 281, 46, 2.5).fill(colours.accent);
  document.font('Regular', 9.5).fillColor(colours.ink).text(`${row.title},`, left, 298, { width });
  document.text(
    `Votre contrat « ${row.riskLabel} » arrive à échéance le ${row.dueDate}. Vous trouverez ci-dessous le détail de la ` +
      'cotisation à régler au plus tard à cette date pour que vos garanties se poursuivent sans interruption.',
    left,
    316,
    { width, lineGap: 2.5 },
  );
}

function drawAmounts(document: PDFDocument, row: NoticeRow): void {
  const top = 366;
  const rowHeight = 23;
  document.roundedRect(left, top, width, rowHeight, 2).fill(colours.brand);
  document
    .font('Bold', 9)
    .fillColor('#ffffff')
    .text('Désignation', left + 10, top + 6, { lineBreak: false });
  document.text('Montant', left, top + 6, { width: width - 10, align: 'right' });
  let y = top + rowHeight;
  for (const [index, { label, amount }] of row.amountLines.entries()) {
    if (index % 2 === 1) document.rect(left, y, width, rowHeight).fill(colours.band);
    document
      .font('Regular', 9)
      .fillColor(colours.ink)
      .text(label, left + 10, y + 6, { lineBreak: false });
    document.text(amount, left, y + 6, { width: width - 10, align: 'right' });
    y += rowHeight;
  }
  document.moveTo(left, y).lineTo(right, y).lineWidth(1).stroke(colours.brand);
  document
    .font('Bold', 11)
    .fillColor(colours.brand)
    .text('Total à régler (TTC)', left + 10, y + 8, { lineBreak: false });
  document.text(row.total, left, y + 8, { width: width - 10, align: 'right' });
  document
    .font('Regular', 7.5)
    .fillColor(colours.quiet)
    .text(
      'À défaut de paiement dans les dix jours de l’échéance, la garantie peut être suspendue trente jours après une mise en demeure ' +
        '(article L. 113-3 du code des assurances). Vous pouvez vous opposer à la reconduction du contrat dans les vingt jours ' +
        'de l’envoi de cet avis (article L. 113-15-1).',
      left,
      y + 36,
      { width, lineGap: 1.5 },
    );
}

function drawSlip(document: PDFDocument, row: NoticeRow): void {
  const top = 618;
  document.dash(4, { space: 3 }).moveTo(left, top).lineTo(right, top).lineWidth(0.8).stroke(colours.quiet).undash();
  document
    .font('Regular', 12)
    .fillColor(colours.quiet)
    .text('✂', left - 2, top - 7, { lineBreak: false });
  document.font('Bold', 9).fillColor(colours.brand);
  document.text('Talon à joindre à votre règlement', left, top + 16, { lineBreak: false });
  document.roundedRect(left, top + 36, width, 86, 4).fill(colours.band);
  const cells = [
    ['Assuré', `${row.title} ${row.firstName} ${row.lastName}`, left + 12, top + 46, 284],
    ['Dossier', row.fileNumber, left + 12, top + 84, 120],
    ['Contrat', row.contractNumber, left + 142, top + 84, 120],
    ['À régler avant le', row.dueDate, left + 300, top + 46, 180],
    ['Montant', row.total, left + 300, top + 84, 180],
  ] as const;
  for (const [label, value, x, y, cellWidth] of cells) {
    document.font('Regular', 7).fillColor(colours.quiet).text(label.toUpperCase(), x, y, { lineBreak: false });
    document.font('Bold', 9).fillColor(colours.ink);
    document.text(value, x, y + 12, { width: cellWidth, height: 14, ellipsis: true });
  }
  const choices = [
    ['Chèque à l’ordre de Cabinet Aubépine', left],
    ['Virement', left + 230],
    ['Prélèvement automatique', left + 320],
  ] as const;
  for (const [means, x] of choices) {
    document
      .rect(x, top + 138, 8, 8)
      .lineWidth(0.7)
      .stroke(colours.quiet);
    document
      .font('Regular', 8.5)
      .fillColor(colours.ink)
      .text(means, x + 14, top + 136.5, { lineBreak: false });
  }
}

/**
 * One premium notice as a one-page A4 PDF with its fonts embedded, 20 to 80 kB.
 * The same row gives the same bytes: the dates inside are the edition's, and the file id follows from them.
 */
export async function noticePdf(row: NoticeRow): Promise<Buffer> {
  const document = new PDFDocument({
    size: 'A4',
    // Without margins pdfkit never adds a page by itself: a notice has one.
    margin: 0,
    lang: 'fr-FR',
    displayTitle: true,
    font: null,
    info: {
      Title: `Avis d’échéance ${row.fileNumber}`,
      Author: broker.name,
      Subject: `Contrat ${row.contractNumber}`,
      CreationDate: editionDate,
      ModDate: editionDate,
    },
  });
  useFonts(document);
  drawLetterhead(document);
  drawReferences(document, row);
  drawAddress(document, row);
  drawLetter(document, row);
  drawAmounts(document, row);
  drawSlip(document, row);
  document
    .font('Regular', 6.5)
    .fillColor(colours.quiet)
    .text(
      'Cabinet Aubépine, société de courtage d’assurances fictive · Document de démonstration, sans valeur contractuelle',
      left,
      806,
      { width, align: 'center' },
    );
  document.end();
  const chunks: Buffer[] = [];
  for await (const chunk of document) chunks.push(chunk);
  return Buffer.concat(chunks);
}
