/** Lines over two axes as SVG: small enough to read, with nothing behind it. */

export interface Axis {
  readonly label: string
  readonly log?: boolean
  /** The axis begins at 0, or at the least value. */
  readonly fromZero?: boolean
}

export interface Point {
  readonly x: number
  readonly y: number
  /** Beside the point. */
  readonly label?: string
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
}

export interface Plot {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
}

const WIDTH = 760
const HEIGHT = 440
const AREA = { left: 70, top: 44, right: 740, bottom: 384 }
const TITLE = 24
const LEGEND_LINE = 18
/** Told apart by people who see no red or green (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000']

/** Empty where there is no point. */
export function drawPlot({ title, x, y, series }: Plot): string {
  const points = series.flatMap((line) => line.points)
  if (points.length === 0) return ''
  const [xs, ys] = [points.map((point) => point.x), points.map((point) => point.y)]
  const placeX = scaleOf(xs, x, AREA.left, AREA.right)
  const placeY = scaleOf(ys, y, AREA.bottom, AREA.top)
  const parts = [
    ...placeX.ticks.flatMap((tick) => [
      line(placeX.at(tick), AREA.top, placeX.at(tick), AREA.bottom),
      text(placeX.at(tick), AREA.bottom + 18, writeTick(tick), 'text-anchor="middle"'),
    ]),
    ...placeY.ticks.flatMap((tick) => [
      line(AREA.left, placeY.at(tick), AREA.right, placeY.at(tick)),
      text(AREA.left - 8, placeY.at(tick) + 4, writeTick(tick), 'text-anchor="end"'),
    ]),
    text((AREA.left + AREA.right) / 2, HEIGHT - 16, x.label, 'text-anchor="middle"'),
    `<text x="${-(AREA.top + AREA.bottom) / 2}" y="18" transform="rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
    ...series.flatMap((one, index) => drawLine(one.points, colourOf(index), placeX.at, placeY.at)),
  ]
  // The legend stands above: on the area it would hide lines.
  const legend = LEGEND_LINE * series.length
  const height = HEIGHT + legend
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(AREA.left, TITLE, title, 'font-size="15" font-weight="bold"'),
    ...series.flatMap(({ name }, index) => drawName(name, index)),
    `<g transform="translate(0 ${legend})">`,
    ...parts,
    '</g>',
    '</svg>\n',
  ].join('\n')
}

type Place = (value: number) => number

function drawLine(points: readonly Point[], colour: string, atX: Place, atY: Place): string[] {
  const places = points.map((point) => ({ ...point, px: round(atX(point.x)), py: round(atY(point.y)) }))
  const path = places.map(({ px, py }) => `${px},${py}`).join(' ')
  const isDense = points.length > 50
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...(isDense
      ? []
      : places.map(({ px, py }) => `<circle cx="${px}" cy="${py}" r="3.5" fill="${colour}"/>`)),
    ...places.flatMap(({ px, py, label }) =>
      label === undefined ? [] : [text(px + 6, py - 6, label, `fill="${colour}" font-size="11"`)],
    ),
  ]
}

function drawName(name: string, index: number): string[] {
  const y = TITLE + LEGEND_LINE * (index + 1)
  return [
    `<rect x="${AREA.left}" y="${y - 9}" width="10" height="10" fill="${colourOf(index)}"/>`,
    text(AREA.left + 16, y, name),
  ]
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] as string
}

/** From values to pixels, with the round values between its ends. */
export function scaleOf(
  values: readonly number[],
  { log = false, fromZero = false }: Pick<Axis, 'log' | 'fromZero'>,
  start: number,
  end: number,
): { readonly at: Place; readonly ticks: readonly number[] } {
  const positive = values.filter((value) => !log || value > 0)
  const least = fromZero ? 0 : Math.min(...positive)
  const most = Math.max(...positive)
  const ticks = log ? logTicks(least, most) : linearTicks(least, most)
  const [low, high] = [ticks[0] as number, ticks.at(-1) as number]
  const bend = (value: number) => (log ? Math.log(Math.max(value, low)) : value)
  const at = (value: number) => start + ((bend(value) - bend(low)) / (bend(high) - bend(low))) * (end - start)
  return { at, ticks }
}

/** 1, 2 and 5 of every power of ten, around both values. */
function logTicks(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least))
  const last = Math.ceil(Math.log10(most)) + 1
  const all = Array.from({ length: last - first + 1 }, (_, k) =>
    [1, 2, 5].map((step) => step * 10 ** (first + k)),
  ).flat()
  const from = all.findLastIndex((tick) => tick <= least)
  const to = all.findIndex((tick) => tick >= most)
  return all.slice(from, Math.max(to, from + 1) + 1)
}

/** About five steps of 1, 2 or 5 times a power of ten, around both values. */
function linearTicks(least: number, most: number): number[] {
  const rough = (most - least || Math.abs(most) || 1) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) as number) * power
  const first = Math.floor(least / step)
  const last = Math.max(Math.ceil(most / step), first + 1)
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step)
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#ddd"/>`
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}"${attributes && ` ${attributes}`}>${escape(content)}</text>`
}

function writeTick(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en-US', { maximumFractionDigits: 3 })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
