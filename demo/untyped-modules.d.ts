/** The parts of two untyped development dependencies that the demo uses. */

declare module 'pdfkit' {
  import type { Readable } from 'node:stream';

  interface TextOptions {
    width?: number;
    height?: number;
    align?: 'left' | 'right' | 'center';
    lineGap?: number;
    lineBreak?: boolean;
    ellipsis?: boolean | string;
    characterSpacing?: number;
  }

  interface DocumentOptions {
    size: 'A4';
    margin: number;
    lang: string;
    displayTitle: boolean;
    /** Null: no default font, so that no unused one is opened. */
    font: null;
    info: Record<string, string | Date>;
  }

  /** A font that was parsed already: it can be given to another document. */
  export interface ParsedFont {
    layout(text: string): unknown;
  }

  class PDFDocument implements AsyncIterable<Buffer> {
    constructor(options: DocumentOptions);
    /** The font in use, with what was parsed from its file. */
    readonly _font: { font: ParsedFont };
    y: number;
    registerFont(name: string, source: string | ParsedFont): this;
    font(name: string, size?: number): this;
    fontSize(size: number): this;
    fillColor(color: string): this;
    strokeColor(color: string): this;
    lineWidth(width: number): this;
    text(text: string, x: number, y: number, options?: TextOptions): this;
    heightOfString(text: string, options?: TextOptions): number;
    widthOfString(text: string): number;
    rect(x: number, y: number, width: number, height: number): this;
    roundedRect(x: number, y: number, width: number, height: number, radius: number): this;
    circle(x: number, y: number, radius: number): this;
    moveTo(x: number, y: number): this;
    lineTo(x: number, y: number): this;
    bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): this;
    dash(length: number, options?: { space: number }): this;
    undash(): this;
    fill(color?: string): this;
    stroke(color?: string): this;
    end(): void;
    [Symbol.asyncIterator](): ReturnType<Readable[typeof Symbol.asyncIterator]>;
  }

  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export default PDFDocument;
}

declare module 'cli-progress' {
  interface BarOptions {
    format: string;
    hideCursor?: boolean;
  }

  class SingleBar {
    constructor(options: BarOptions, preset: unknown);
    start(total: number, value: number, payload?: object): void;
    update(value: number, payload?: object): void;
    stop(): void;
  }

  const progress: { SingleBar: typeof SingleBar; Presets: { shades_classic: unknown } };
  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export default progress;
}
