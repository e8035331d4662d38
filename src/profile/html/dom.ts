/** A small builder of DOM elements: `h('p', { class: 'note' }, 'text', child)`. Text is always text, never markup. */

export type Child = Node | string | false | null | undefined

type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  append(element, children)
  return element
}

export function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) if (child !== false && child !== null && child !== undefined) parent.append(child)
}

let serial = 0

/** An id unique in the page, to tie labels to what they label. */
export function freshId(prefix: string): string {
  serial += 1
  return `${prefix}-${serial}`
}

/** Offers text as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = h('a', { href: url, download: name })
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
