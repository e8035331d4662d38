/** A kernel and its constants in words, for reports and tables. */

/** `broadcast rows 8, strips 2`: what is as in `usual` is left out, a configuration within another is in brackets. */
export function constantsText(name: string, constants: object, usual: object = {}): string {
  const defaults = new Map<string, unknown>(Object.entries(usual))
  const parts = Object.entries(constants).flatMap(([key, value]: [string, unknown]) =>
    defaults.get(key) === value ? [] : [`${key} ${valueText(value)}`],
  )
  return parts.length === 0 ? name : `${name} ${parts.join(', ')}`
}

function valueText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(([key, own]: [string, unknown]) =>
    key === 'kernel' ? String(own) : `${key} ${valueText(own)}`,
  )
  return `(${entries.join(', ')})`
}
