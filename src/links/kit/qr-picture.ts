/** The QR code of a short link, with the link printed under it for people who cannot scan it. */
import QRCode from 'qrcode';

import { escapeHtml } from '../../http/visitor-page.ts';
import { Bitmap, GLYPH_ADVANCE, GLYPH_COLUMNS, GLYPH_ROWS, isInk } from './bitmap.ts';

/** For a screen and for paper: 1,200 px are 10 cm at 300 dpi. */
export const QR_WIDTHS_PX = { screen: 512, print: 1200 } as const;
export type QrSize = keyof typeof QR_WIDTHS_PX;

/** The quiet zone of the QR standard, in modules. */
const MARGIN = 4;
/** The share of the width that a line of text may take. */
const LINE_SHARE = 0.92;
/** Height of a glyph's pixel, in modules. The code is larger than the host, because people type it more often. */
const CODE_PIXEL = 0.6;
const HOST_PIXEL = 0.4;
/** Width of a character of a monospace font, as a share of the font size. */
const MONOSPACE_WIDTH = 0.6;

interface Modules {
  size: number;
  isDark: (row: number, column: number) => boolean;
}

/** The modules of the code, and the two lines of text under it. */
interface Drawing {
  modules: Modules;
  host: string;
  path: string;
}

/** Error correction M is enough for paper and screens, and needs fewer modules than Q. */
function drawingOf(url: string): Drawing {
  const { modules } = QRCode.create(url, { errorCorrectionLevel: 'M' });
  const { host, pathname } = new URL(url);
  return {
    modules: { size: modules.size, isDark: (row, column) => modules.get(row, column) === 1 },
    host,
    path: pathname.slice(1),
  };
}

/** @param url the short link that the code contains, with its tag */
export function qrSvg(url: string): string {
  const { modules, host, path } = drawingOf(url);
  const width = modules.size + 2 * MARGIN;
  const fit = (text: string, most: number): number =>
    Math.min(most, (LINE_SHARE * width) / (MONOSPACE_WIDTH * text.length));
  const hostSize = fit(host, GLYPH_ROWS * HOST_PIXEL);
  const codeSize = fit(path, GLYPH_ROWS * CODE_PIXEL);
  const hostY = modules.size + MARGIN + hostSize;
  const codeY = hostY + codeSize;
  const height = codeY + MARGIN - 1;
  const line = (text: string, { y, size, weight }: { y: number; size: number; weight: number }): string =>
    `<text x="${width / 2}" y="${y.toFixed(2)}" font-size="${size.toFixed(2)}" font-weight="${weight}">${escapeHtml(text)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height.toFixed(2)}" role="img" aria-label="${escapeHtml(url)}">
<path fill="#fff" d="M0 0h${width}v${height.toFixed(2)}H0z"/>
<path fill="#000" shape-rendering="crispEdges" d="${darkRuns(modules)}"/>
<g fill="#000" text-anchor="middle" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace">
${line(host, { y: hostY, size: hostSize, weight: 400 })}
${line(path, { y: codeY, size: codeSize, weight: 700 })}
</g>
</svg>
`;
}

/** The dark modules as one path, one rectangle per run. */
function darkRuns({ size, isDark }: Modules): string {
  let runs = '';
  for (let row = 0; row < size; row += 1) {
    let from = -1;
    for (let column = 0; column <= size; column += 1) {
      const dark = column < size && isDark(row, column);
      if (dark && from === -1) from = column;
      if (dark || from === -1) continue;
      runs += `M${from + MARGIN} ${row + MARGIN}h${column - from}v1h${from - column}z`;
      from = -1;
    }
  }
  return runs;
}

/** The same picture in whole pixels: `QR_WIDTHS_PX` wide and a little higher. */
export function qrPng(url: string, size: QrSize): Buffer {
  const { modules, host, path } = drawingOf(url);
  const width = QR_WIDTHS_PX[size];
  const module = Math.max(1, Math.floor(width / (modules.size + 2 * MARGIN)));
  const left = Math.floor((width - module * modules.size) / 2);
  const pixelOf = (text: string, most: number): number =>
    Math.max(1, Math.min(Math.round(module * most), Math.floor((LINE_SHARE * width) / (GLYPH_ADVANCE * text.length))));
  const hostPixel = pixelOf(host, HOST_PIXEL);
  const codePixel = pixelOf(path, CODE_PIXEL);
  const hostY = left + module * (modules.size + 2);
  const codeY = hostY + hostPixel * (GLYPH_ROWS + 1);
  const picture = new Bitmap({ width, height: codeY + codePixel * GLYPH_ROWS + module * 2 });
  for (let row = 0; row < modules.size; row += 1) {
    for (let column = 0; column < modules.size; column += 1) {
      if (modules.isDark(row, column))
        picture.fillSquare({ x: left + column * module, y: left + row * module, size: module });
    }
  }
  drawLine(picture, host, { y: hostY, pixel: hostPixel });
  drawLine(picture, path, { y: codeY, pixel: codePixel });
  return picture.toPng();
}

/** Writes a line of text, centred. */
function drawLine(picture: Bitmap, text: string, { y, pixel }: { y: number; pixel: number }): void {
  const left = Math.floor((picture.width - (text.length * GLYPH_ADVANCE - 1) * pixel) / 2);
  for (const [index, character] of text.split('').entries()) {
    for (let row = 0; row < GLYPH_ROWS; row += 1) {
      for (let column = 0; column < GLYPH_COLUMNS; column += 1) {
        if (!isInk(character, { column, row })) continue;
        picture.fillSquare({
          x: left + (index * GLYPH_ADVANCE + column) * pixel,
          y: y + row * pixel,
          size: pixel,
        });
      }
    }
  }
}
