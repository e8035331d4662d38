/** Label files: one class a line, in the order of the model's outputs. ImageNet's begin with the synset: `n01440764 tench, Tinca tinca`. */
import { FileFormatError } from '../errors.ts'
import { looksLike } from './sniff.ts'

export interface Label {
  /** WordNet synset (`n01440764`), where the file gives one. */
  readonly synset: string | null
  /** What to show: `tench, Tinca tinca`. */
  readonly name: string
}

/**
 * Reads labels. Line i names class i: empty lines inside the file count (as classes without a name), those at its end do not.
 * @throws FileFormatError when the file is empty or no UTF-8 text.
 */
export function parseLabels(bytes: Uint8Array): Label[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new FileFormatError(
      `This is no label file: ${looksLike(bytes)}`,
      { remedy: 'Expected UTF-8 text, one label a line' },
      { cause },
    )
  }
  if (text.includes('\0'))
    throw new FileFormatError(`This is no label file: ${looksLike(bytes)}`, { remedy: 'Expected UTF-8 text, one label a line' })
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim())
  while (lines.at(-1) === '') lines.pop()
  if (lines.length === 0) throw new FileFormatError('The label file is empty', { remedy: 'Expected one label a line' })
  return lines.map((line) => {
    const match = /^(n\d{8})(?:[\s,:]+(.*))?$/.exec(line)
    const synset = match?.[1] ?? null
    return { synset, name: match === null ? line : (match[2] ?? '') === '' ? (synset ?? line) : (match[2] ?? line) }
  })
}
