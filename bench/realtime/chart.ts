/** Draws a report as SVG: for each figure that has a goal, a bar for each server, as a share of the longest. */
import type { Report, ReportedFigure } from './report.ts';
import type { ServerName } from './servers.ts';

const width = 760;
const labelWidth = 170;
const barWidth = 420;
const barHeight = 16;
const lineHeight = 20;
const titleHeight = 30;

/** Latchkey stands out; the others differ in lightness only. */
const colors: Readonly<Record<ServerName, string>> = {
  latchkey: '#0b66c3',
  bare: '#5f6b7a',
  'bare-without-token': '#7d8896',
  'bare-in-one-statement': '#7d8896',
  mercurius: '#9aa4b0',
  yoga: '#b4bcc6',
  postgraphile: '#b4bcc6',
  'latchkey-unsealed': '#b4bcc6',
};

export function chartOf({ figures, machine, versions, rounds }: Report): string {
  let y = titleHeight;
  const drawn = figures
    .filter(({ goals, medians }) => goals.length > 0 && Object.keys(medians).length > 0)
    .map((figure) => {
      const { text, height } = drawFigure(figure, y);
      y += height;
      return text;
    });
  const facts = `${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`}, ${machine.cores} cores, Node ${machine.node}, ${versions}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + titleHeight}" font-family="sans-serif" font-size="13">
  <title>What was measured of each server</title>
  <rect width="100%" height="100%" fill="#ffffff"/>
${drawn.join('\n')}
  <text x="8" y="${y + lineHeight}" fill="#5f6b7a">${escaped(facts)}</text>
</svg>
`;
}

function drawFigure({ title, medians, goals }: ReportedFigure, y: number): { text: string; height: number } {
  const bars = Object.entries(medians) as [ServerName, number][];
  const longest = Math.max(...bars.map(([, value]) => value));
  const wanted = goals
    .map(({ title: goal, isMet }) => `${goal}: ${isMet === null ? 'unknown' : isMet ? 'met' : 'not met'}`)
    .join('; ');
  const lines = bars.map(([server, value], at) => {
    const top = y + 8 + at * lineHeight;
    const length = Math.max(1, Math.round((barWidth * value) / longest));
    return [
      `  <text x="${labelWidth - 8}" y="${top + 13}" text-anchor="end">${escaped(server)}</text>`,
      `  <rect x="${labelWidth}" y="${top}" width="${length}" height="${barHeight}" fill="${colors[server]}"/>`,
      `  <text x="${labelWidth + length + 6}" y="${top + 13}">${shown(value)}</text>`,
    ].join('\n');
  });
  return {
    text: [
      `  <text x="8" y="${y}" font-weight="bold">${escaped(`${title} (${wanted})`)}</text>`,
      ...lines,
    ].join('\n'),
    height: bars.length * lineHeight + titleHeight,
  };
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 });
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
