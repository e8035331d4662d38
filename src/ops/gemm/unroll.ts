/**
 * Writes out the loops of a shader that say so. Think of it as a macro: matrices of matrix units stay in registers only where every
 * index of their array is constant, and WGSL has no way to ask a compiler to unroll. A loop that reads
 *
 *     for (var r = 0u; r < ROWS; r++) { // unrolled
 *       BODY
 *     }
 *
 * becomes `{ const r = 0u; BODY }  { const r = 1u; BODY } …`, as many as the constant ROWS says. Such loops nest; none may be left by
 * `break` or `continue`. The closing brace stands under the `for`.
 */
import { DeviceValidationError } from '../../errors.ts'

const LOOP = /^( *)for \(var (\w+) = 0u; \2 < (\w+); \2\+\+\) \{ \/\/ unrolled$/

/** @throws DeviceValidationError for a bound that is no constant, or a loop without its end */
export function unrolled(body: string, constants: Readonly<Record<string, number | string>>): string {
  return unrolledLines(body.split('\n'), constants).join('\n')
}

function unrolledLines(lines: readonly string[], constants: Readonly<Record<string, number | string>>): string[] {
  const result: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const [whole, indent, index, bound = ''] = LOOP.exec(line) ?? []
    if (whole === undefined) {
      result.push(line)
      continue
    }
    const count = constants[bound]
    if (typeof count !== 'number') throw new DeviceValidationError(`The bound ${bound} of an unrolled loop is no constant`)
    const end = lines.indexOf(`${indent}}`, at)
    if (end < 0) throw new DeviceValidationError(`An unrolled loop has no end: ${line.trim()}`)
    const inner = unrolledLines(lines.slice(at + 1, end), constants)
    for (let copy = 0; copy < count; copy++) result.push(`${indent}{ const ${index} = ${copy}u;`, ...inner, `${indent}}`)
    at = end
  }
  return result
}
