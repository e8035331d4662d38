/** A sortable table: figures right-aligned in columns of one format, a header that is a button, long tables cut until asked. */
import { h } from './dom.ts'

export interface Column<T> {
  readonly label: string
  /** Under the label, smaller. */
  readonly unit?: string
  readonly title?: string
  /** What is sorted by, and shown unless `show` says otherwise; undefined is a dash, and sorts last. */
  readonly value: (row: T) => number | string | undefined
  readonly show?: (row: T) => Node | string
  readonly format?: (value: number) => string
  /** Sticks to the left edge when the table scrolls, and heads its row. */
  readonly head?: boolean
}

export interface TableOptions<T> {
  readonly caption: string
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  readonly rowClass?: (row: T) => string | undefined
  /** Rows shown before the reader asks for all. */
  readonly limit?: number
  readonly empty?: string
}

interface Order {
  readonly column: number
  readonly ascending: boolean
}

export function table<T>({
  caption,
  columns,
  rows,
  rowClass,
  limit = 120,
  empty = 'Nothing to show.',
}: TableOptions<T>): HTMLElement {
  let order: Order | undefined
  let all = rows.length <= limit
  const numeric = columns.map(({ value }) => rows.some((row) => typeof value(row) === 'number'))
  const body = h('tbody')
  const more = h('button', {
    type: 'button',
    class: 'tw-more',
    click: () => {
      all = true
      draw()
    },
  })
  const headers = columns.map((column, index) => {
    const button = h(
      'button',
      {
        type: 'button',
        title: column.title,
        click: () => {
          sort(index)
        },
      },
      column.label,
      h('span', { class: 'tw-arrow', 'aria-hidden': 'true' }),
    )
    const unit = column.unit !== undefined && h('span', { class: 'tw-unit' }, column.unit)
    return h('th', { scope: 'col', class: classOf(index) }, button, unit)
  })

  function classOf(index: number): string | undefined {
    return [numeric[index] && 'tw-number', columns[index]?.head && 'tw-head'].filter(Boolean).join(' ') || undefined
  }

  function sort(column: number): void {
    // Figures are wanted from the largest down first, words from a to z; a second press turns the order round.
    order = { column, ascending: order?.column === column ? !order.ascending : !numeric[column] }
    draw()
  }

  function sorted(): readonly T[] {
    const column = order === undefined ? undefined : columns[order.column]
    if (order === undefined || column === undefined) return rows
    const sign = order.ascending ? 1 : -1
    return rows.toSorted((a, b) => {
      const x = column.value(a)
      const y = column.value(b)
      if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined)
      if (typeof x === 'number' && typeof y === 'number') return sign * (x - y)
      return sign * String(x).localeCompare(String(y), 'en', { numeric: true })
    })
  }

  function draw(): void {
    headers.forEach((header, index) => {
      const state = order?.column !== index ? 'none' : order.ascending ? 'ascending' : 'descending'
      header.setAttribute('aria-sort', state)
    })
    const shown = all ? sorted() : sorted().slice(0, limit)
    body.replaceChildren(
      ...shown.map((row) => h('tr', { class: rowClass?.(row) }, ...columns.map((column, index) => cell(column, index, row)))),
    )
    more.textContent = `Show all ${rows.length} rows`
    more.hidden = all
  }

  function cell(column: Column<T>, index: number, row: T): HTMLElement {
    const value = column.value(row)
    const text =
      column.show?.(row) ??
      (value === undefined ? '–' : typeof value === 'number' ? (column.format?.(value) ?? String(value)) : value)
    return column.head === true ? h('th', { scope: 'row', class: classOf(index) }, text) : h('td', { class: classOf(index) }, text)
  }

  draw()
  if (rows.length === 0) return h('p', { class: 'tw-note' }, empty)
  const scroller = h(
    'div',
    { class: 'tw-scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', {}, h('caption', {}, caption), h('thead', {}, h('tr', {}, ...headers)), body),
  )
  return h('div', { class: 'tw-table' }, scroller, more)
}
