// Draws each [data-chart] from the table that it names, anew when a part of the page comes.
// Without this script the tables stay.

/**
 * What is used of ECharts; its own types do not hold under exactOptionalPropertyTypes.
 * @typedef {{ setOption(option: object): void, resize(): void }} Chart
 * @typedef {{
 *   init(place: HTMLElement, theme: null, how: { renderer: 'svg' }): Chart,
 *   getInstanceByDom(place: HTMLElement): Chart | undefined,
 * }} Charts
 */

const built = new URL('../vendor/echarts.min.js', import.meta.url).href
/** @type {Charts} */
const { getInstanceByDom, init } = await import(built)

/**
 * What a cell says: where it holds more than that, its value stands apart.
 * @param {HTMLElement} cell
 */
const text = cell => cell.dataset.value ?? (cell.textContent ?? '').trim()

/**
 * Read a table whose first cells are names.
 * @param {string} id
 * @returns {{ heads: string[], rows: string[][] }}
 */
function read(id) {
  const table = /** @type {HTMLTableElement} */ (document.getElementById(id))
  /** @type {(row: HTMLTableRowElement) => string[]} */
  const cells = row => [...row.cells].map(text)
  const rows = [...table.tBodies[0].rows].map(cells).filter(row => row.length > 1)
  return { heads: cells(table.rows[0]), rows }
}

/**
 * How a chart is drawn: bars for what has names, a line for what has an order.
 * @param {DOMStringMap} asked
 */
function drawing({ chart, of = '', columns = '1' }) {
  const { heads, rows } = read(of)
  const shown = columns.split(' ').map(Number)
  const style = getComputedStyle(document.body)
  const fromRight = document.documentElement.dir === 'rtl'
  const label = { color: style.color, textBorderWidth: 0 }
  const line = { lineStyle: { color: style.getPropertyValue('--bs-border-color') } }
  const ticks = { axisLabel: { color: style.color }, axisLine: line, splitLine: line }
  const names = {
    ...ticks,
    type: 'category',
    data: rows.map(row => row[0]),
    axisTick: { show: false },
  }
  const numbers = { ...ticks, type: 'value', minInterval: 1 }
  const across = chart === 'bar'
  return {
    animation: false,
    aria: { enabled: true },
    color: shown.length > 1 ? ['#868e96', '#3d8bfd'] : ['#3d8bfd'],
    textStyle: { color: style.color, fontFamily: style.fontFamily },
    tooltip: { renderMode: 'richText', confine: true },
    grid: { containLabel: true, left: 8, right: 24, top: shown.length > 1 ? 36 : 8, bottom: 8 },
    legend: { show: shown.length > 1, textStyle: label, top: 0 },
    xAxis: { ...(across ? numbers : names), inverse: fromRight },
    yAxis: {
      ...(across ? names : numbers),
      inverse: across,
      position: fromRight ? 'right' : 'left',
    },
    series: shown.map((at, place) => ({
      type: chart,
      name: heads[at],
      barMaxWidth: 24,
      lineStyle: { type: place < shown.length - 1 ? 'dashed' : 'solid' },
      label: { ...label, show: across, position: fromRight ? 'left' : 'right' },
      data: rows.map(row => Number(row[at])),
    })),
  }
}

/**
 * From where to where: what stands left is before, what stands right after.
 * @param {DOMStringMap} asked
 */
function flowing({ of = '' }) {
  const { rows } = read(of)
  const style = getComputedStyle(document.body)
  /** @type {(name: string) => string} */
  const after = name => `${name}\u200b` // the same to read, and another place
  const names = new Set(rows.flatMap(([from, to]) => [from, after(to)]))
  return {
    animation: false,
    aria: { enabled: true },
    textStyle: { color: style.color, fontFamily: style.fontFamily },
    tooltip: { renderMode: 'richText', confine: true },
    series: {
      type: 'sankey',
      left: 8,
      right: 120,
      label: { color: style.color, textBorderWidth: 0 },
      lineStyle: { color: 'source', opacity: 0.4 },
      data: [...names].map(name => ({ name })),
      links: rows.map(([from, to, many]) => ({
        source: from,
        target: after(to),
        value: Number(many),
      })),
    },
  }
}

/** @param {DOMStringMap} asked */
const optionOf = asked => (asked.chart === 'sankey' ? flowing(asked) : drawing(asked))

/** @param {(place: HTMLElement, drawn: Chart | undefined) => void} todo */
function each(todo) {
  for (const place of document.querySelectorAll('[data-chart]')) {
    const inside = /** @type {HTMLElement | null} */ (place.firstElementChild)
    todo(/** @type {HTMLElement} */ (place), inside ? getInstanceByDom(inside) : undefined)
  }
}

function drawMissing() {
  each((place, drawn) => {
    if (drawn) return
    const inside = document.createElement('div')
    place.replaceChildren(inside)
    init(inside, null, { renderer: 'svg' }).setOption(optionOf(place.dataset))
  })
}

const page = document.documentElement
new MutationObserver(drawMissing).observe(document.body, { childList: true, subtree: true })
new MutationObserver(() =>
  each((place, drawn) => drawn?.setOption(optionOf(place.dataset))),
).observe(page, { attributeFilter: ['data-bs-theme'] })
new ResizeObserver(() => each((_, drawn) => drawn?.resize())).observe(page)
drawMissing()

export {}
