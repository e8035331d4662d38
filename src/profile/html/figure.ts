/** A chart with its heading, its tag (measured or modelled), its legend and its notes; scrolls sideways where it must. */
import { h, freshId } from './dom.ts'
import { chip } from './header.ts'
import type { Swatch } from './palette.ts'
import { colour } from './palette.ts'

export interface FigureOptions {
  readonly title: string
  readonly tag: 'measured' | 'modelled' | 'checked'
  readonly unit?: string
  readonly legend?: readonly { readonly key: string; readonly swatch: Swatch }[]
  readonly notes?: readonly (string | false | undefined)[]
  readonly draw: (width: number) => Element
  /** Class of the card: `tw-wide` spans the page. */
  readonly wide?: boolean
}

export interface Figure {
  readonly element: HTMLElement
  /** Draws for the width that the card has now; call when it is in the page. */
  readonly fit: () => void
}

export function figure({ title, tag, unit, legend = [], notes = [], draw, wide = false }: FigureOptions): Figure {
  const id = freshId('figure')
  const plot = h('div', { class: 'tw-plot', tabindex: 0, role: 'group', 'aria-labelledby': id })
  const keys = legend.map(({ key, swatch }) => {
    const label = swatch.label === key ? key : `${key} ${swatch.label}`
    return h('li', { title: swatch.label }, chip(colour(swatch)), legend.length > 6 ? key : label)
  })
  const element = h(
    'figure',
    { class: wide ? 'tw-card tw-wide' : 'tw-card', 'aria-labelledby': id },
    h(
      'figcaption',
      {},
      h('h3', { id }, title),
      h('span', { class: `tw-tag tw-tag-${tag}` }, tag),
      unit !== undefined && h('span', { class: 'tw-unit' }, unit),
    ),
    keys.length > 0 && h('ul', { class: 'tw-legend', 'aria-label': 'Colours' }, ...keys),
    plot,
    ...notes.map((note) => note !== undefined && note !== false && h('p', { class: 'tw-note' }, note)),
  )
  let drawnFor = 0
  return {
    element,
    fit: () => {
      const width = Math.floor(plot.clientWidth)
      if (width < 40 || width === drawnFor) return
      drawnFor = width
      plot.replaceChildren(draw(width))
    },
  }
}

/** A card that says why it is empty. */
export function emptyFigure(title: string, tag: FigureOptions['tag'], why: string, wide = false): Figure {
  const id = freshId('figure')
  const element = h(
    'figure',
    { class: wide ? 'tw-card tw-wide' : 'tw-card', 'aria-labelledby': id },
    h('figcaption', {}, h('h3', { id }, title), h('span', { class: `tw-tag tw-tag-${tag}` }, tag)),
    h('p', { class: 'tw-note' }, why),
  )
  return { element, fit: () => undefined }
}
