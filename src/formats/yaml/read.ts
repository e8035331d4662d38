/**
 * YAML files from people one does not know. Think of it as the parcel scanner: `yaml` parses, and what comes out is walked once with
 * a budget, so that aliases that multiply (a billion laughs), deep nesting, cycles, odd keys and huge files end in a named error
 * in well under a second. Keys live in maps, never on objects, so that none can reach a prototype.
 */
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, type Document, type ParsedNode } from 'yaml'
import { FileFormatError } from '../../errors.ts'

/** Characters and tokens of a file; the parser takes some microseconds for each token. */
export const LARGEST_TEXT = 128 * 1024
const MOST_TOKENS = 50_000
/** Of a number or a word: longer ones are no mistake, but an attack. */
const LONGEST_WORD = 100
/** Values that a file may hold once its aliases are followed. */
const LARGEST_COUNT = 50_000
const DEEPEST = 64

/** A value of a file, with where it stands: `mapping[2].factors` of line 14 of `eyeriss.yaml`. */
export class Field {
  readonly value: ReadonlyMap<string, Field> | readonly Field[] | string | number | boolean | null
  /** `!Container` and its like; absent for plain values. */
  readonly tag: string | undefined
  readonly file: string
  readonly path: string
  readonly line: number

  constructor(value: Field['value'], at: { tag?: string | undefined; file: string; path: string; line: number }) {
    this.value = value
    this.tag = at.tag
    this.file = at.file
    this.path = at.path
    this.line = at.line
  }

  /** An error that names the file, the line and the path of this value. */
  refuse(message: string, remedy?: string): FileFormatError {
    const path = this.path === '' ? '' : `${clipped(this.path, 200)}: `
    return new FileFormatError(`${this.file}:${this.line}: ${path}${clipped(message, 300)}`, {
      ...(remedy === undefined ? {} : { remedy: clipped(remedy, 300) }),
    })
  }

  /** What kind of value this is, for messages. */
  get kind(): string {
    if (this.value === null) return 'nothing'
    if (this.value instanceof Map) return 'a map'
    return isList(this.value) ? 'a list' : clipped(JSON.stringify(this.value))
  }

  map(): ReadonlyMap<string, Field> {
    if (isKeyed(this.value)) return this.value
    throw this.refuse(`expected a map, found ${this.kind}`)
  }

  list(): readonly Field[] {
    if (isList(this.value)) return this.value
    throw this.refuse(`expected a list, found ${this.kind}`)
  }

  /** The value of a key; absent and `null` are both `undefined`. The first of several spellings that is there. */
  get(...keys: readonly string[]): Field | undefined {
    const map = this.map()
    const key = keys.find((name) => map.get(name)?.value !== null && map.has(name))
    return key === undefined ? undefined : map.get(key)
  }

  need(key: string): Field {
    const field = this.get(key)
    if (field === undefined) throw this.refuse(`there is no ${key}`)
    return field
  }

  text(): string {
    if (typeof this.value === 'string') return this.value
    if (typeof this.value === 'number') return String(this.value)
    throw this.refuse(`expected a text, found ${this.kind}`)
  }

  flag(): boolean {
    const value = typeof this.value === 'string' ? this.value.toLowerCase() : this.value
    if (value === true || value === 'true' || value === 'yes' || value === 1) return true
    if (value === false || value === 'false' || value === 'no' || value === 0) return false
    throw this.refuse(`expected true or false, found ${this.kind}`)
  }

  /** A finite number, also one in quotes. */
  number({ least = -Number.MAX_VALUE, most = Number.MAX_VALUE }: { least?: number; most?: number } = {}): number {
    const isShort = typeof this.value === 'string' && this.value.length <= LONGEST_WORD
    const text = isShort && typeof this.value === 'string' && /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(this.value.trim())
    const value = typeof this.value === 'number' ? this.value : text ? Number(this.value) : NaN
    if (Number.isFinite(value) && value >= least && value <= most) return value
    const isExpression = typeof this.value === 'string' && !text
    const range = least === -Number.MAX_VALUE ? '' : ` from ${least}${most === Number.MAX_VALUE ? '' : ` to ${most}`}`
    throw this.refuse(
      `expected a number${range}, found ${this.kind}`,
      isExpression ? 'Write the number: expressions and variables are not read' : undefined,
    )
  }

  integer(range: { least: number; most?: number }): number {
    const value = this.number({ most: 2 ** 31 - 1, ...range })
    if (Number.isInteger(value)) return value
    throw this.refuse(`expected an integer, found ${value}`)
  }

  /** Texts of a list, or of a text that a list was written as: `[C=4, M=2]`, `C=4 M=2`, `C=4, M=2`. */
  words(): string[] {
    if (isList(this.value)) return this.value.map((item) => item.text().trim())
    if (this.value === null) return []
    return this.text()
      .split(/[\s,]+/)
      .filter((word) => word !== '')
  }
}

function isList(value: Field['value']): value is readonly Field[] {
  return Array.isArray(value)
}

function isKeyed(value: Field['value']): value is ReadonlyMap<string, Field> {
  return value instanceof Map
}

/**
 * The value of a YAML file. Merge keys (`<<`) are followed; later keys win over merged ones.
 * @throws FileFormatError naming the file and the line: no YAML, templates, unknown aliases, keys given twice, and files
 *   that are too large, too deep or grow too much through aliases
 */
export function readYaml(name: string, text: string): Field {
  if (text.length > LARGEST_TEXT) {
    throw new FileFormatError(`${name} has ${text.length} characters`, { limit: `${LARGEST_TEXT} characters of YAML` })
  }
  const template = /^[^#\n]*(?:\{\{|\{%)/m.exec(text)
  if (template !== null) {
    const line = text.slice(0, template.index).split('\n').length
    throw new FileFormatError(`${name}:${line}: this is a jinja2 template ({{…}} or {%…%}), not yet YAML`, {
      remedy:
        'Give the files that it includes one by one, or the processed file that Timeloop writes (parsed-processed-input.yaml)',
    })
  }
  return new Walk(name, parsed(name, text)).root()
}

interface Parsed {
  /** Absent: the file is empty. */
  readonly document: Document.Parsed | undefined
  readonly lines: LineCounter
}

function parsed(name: string, text: string): Parsed {
  const lines = new LineCounter()
  let document: Document.Parsed | undefined
  try {
    document = firstDocument(name, text, lines)
  } catch (cause) {
    if (cause instanceof RangeError) throw tooDeep(name, cause)
    throw cause
  }
  const error = document?.errors[0]
  if (error !== undefined) {
    throw new FileFormatError(
      `${name}:${lines.linePos(error.pos[0]).line}: this is no YAML: ${clipped(error.message)}`,
      {},
      { cause: error },
    )
  }
  return { document, lines }
}

/** Token by token, so that a file that is all tokens, all depth or all documents is left early. */
function firstDocument(name: string, text: string, lines: LineCounter): Document.Parsed | undefined {
  const lexer = new Lexer()
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  // Keys given twice are found by the walk: the composer would compare each with all before it.
  const composer = new Composer({ uniqueKeys: false, logLevel: 'silent' })
  const documents: Document.Parsed[] = []
  let tokens = 0
  let depth = 0
  let indicators = 0
  for (const lexeme of lexer.lex(text)) {
    if (++tokens > MOST_TOKENS) throw new FileFormatError(`${name} is too large`, { limit: `${MOST_TOKENS} tokens of YAML` })
    if (lexeme === '[' || lexeme === '{') depth++
    else if (lexeme === ']' || lexeme === '}') depth--
    else if (lexeme === '-' || lexeme === '?') indicators++
    else if (lexeme.startsWith('\n')) indicators = 0
    if (depth > DEEPEST || indicators > DEEPEST) throw tooDeep(name)
    if (depth < 0) throw new FileFormatError(`${name} is no YAML: a bracket closes what was not opened`)
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token))
    if (documents.length > 1) break
  }
  for (const token of parser.end()) documents.push(...composer.next(token))
  documents.push(...composer.end())
  if (documents.length > 1)
    throw new FileFormatError(`${name} holds several YAML documents`, { remedy: 'Give one document a file' })
  return documents[0]
}

/** Text of a file in a message. */
function clipped(text: string, most = 80): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

function tooDeep(name: string, cause?: unknown): FileFormatError {
  return new FileFormatError(`${name} is nested too deeply`, { limit: `${DEEPEST} levels` }, { cause })
}

class Walk {
  readonly #file: string
  readonly #document: Document.Parsed | undefined
  readonly #lines: LineCounter
  /** By name, in the order of the file: an alias means the last one before it. */
  readonly #anchors = new Map<string, ParsedNode>()
  /** Aliases being followed: one that meets itself is a cycle. */
  readonly #open = new Set<ParsedNode>()
  #count = 0

  constructor(file: string, { document, lines }: Parsed) {
    this.#file = file
    this.#document = document
    this.#lines = lines
  }

  root(): Field {
    return this.#field(this.#document?.contents, '', 0)
  }

  #field(node: ParsedNode | null | undefined, path: string, depth: number): Field {
    if (++this.#count > LARGEST_COUNT) {
      throw new FileFormatError(`${this.#file} grows too large through its aliases`, { limit: `${LARGEST_COUNT} values` })
    }
    if (depth > DEEPEST) throw tooDeep(this.#file)
    const line = this.#lineOf(node)
    if (node === null || node === undefined) return new Field(null, { file: this.#file, path, line })
    if (isAlias(node)) return this.#followed(node.source, path, depth, line)
    const { anchor } = node
    if (anchor !== undefined) this.#anchors.set(anchor, node)
    const tag = node.tag?.startsWith('!') === true ? node.tag : undefined
    const at = { tag, file: this.#file, path, line }
    if (isScalar(node)) {
      const { value } = node
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return new Field(value, at)
      if (value === null) return new Field(null, at)
      throw new Field(null, at).refuse(`a value of type ${typeof value} is not read`)
    }
    this.#open.add(node)
    const value = isSeq(node)
      ? node.items.map((item, index) => this.#field(item, `${path}[${index}]`, depth + 1))
      : isMap(node)
        ? this.#entries(node.items, path, depth, at)
        : null
    this.#open.delete(node)
    return new Field(value, at)
  }

  #followed(source: string, path: string, depth: number, line: number): Field {
    const target = this.#anchors.get(source)
    if (target === undefined || this.#open.has(target)) {
      const fault = target === undefined ? `there is no anchor &${source} before it` : 'it is an alias of itself'
      throw new Field(`*${source}`, { file: this.#file, path, line }).refuse(`*${source}: ${fault}`)
    }
    return this.#field(target, path, depth + 1)
  }

  #entries(items: readonly Entry[], path: string, depth: number, at: ConstructorParameters<typeof Field>[1]): Map<string, Field> {
    const own = new Map<string, Field>()
    const merged = new Map<string, Field>()
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : undefined
      if (name === undefined) throw new Field(null, at).refuse('a key is no text')
      const inner = path === '' ? name : `${path}.${clipped(name)}`
      const field = this.#field(value, inner, depth + 1)
      if (name === '<<') {
        for (const source of isList(field.value) ? field.value : [field]) {
          for (const [key2, entry] of source.map()) if (!merged.has(key2)) merged.set(key2, entry)
        }
      } else if (own.has(name)) throw field.refuse('this key is given twice', 'Keep one of them')
      else own.set(name, field)
    }
    for (const [key, field] of merged) if (!own.has(key)) own.set(key, field)
    return own
  }

  #lineOf(node: ParsedNode | null | undefined): number {
    return node?.range === undefined || node.range === null ? 1 : this.#lines.linePos(node.range[0]).line
  }
}

interface Entry {
  readonly key: ParsedNode
  readonly value: ParsedNode | null
}
