/**
 * `--images` and `--labels`: pictures as inputs of a network, each with its class where that is known. A folder of .png and .jpg files tells
 * the class by name (`bird_0006.jpg`, `bird/0006.jpg`, `n01440764_1.jpg`), one of MNIST's IDX files by the IDX file of labels.
 */
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FileFormatError, OptionError } from '../errors.ts'
import { decodeIdx, isIdx } from '../formats/idx.ts'
import { readTensor } from '../formats/index.ts'
import { parseLabels, type Label } from '../formats/labels.ts'
import { readLocalFile } from '../formats/node-files.ts'
import { preprocess } from '../formats/preprocess.ts'
import type { Graph, GraphInput } from '../graph/graph.ts'
import type { LabelledInput } from '../profile/prune-compare.ts'
import type { Context } from './context.ts'
import { located, preprocessing, type InputFlags } from './input.ts'

export interface PictureFlags extends InputFlags {
  readonly images?: string
  readonly labels?: string
  readonly count?: number
}

const PICTURE = /\.(png|jpe?g)$/i
/** Bytes that a file may have once it is decompressed. */
const LARGEST_IDX = 2 ** 30

/**
 * The pictures that `--images` names, as inputs of the network's only input.
 * @throws OptionError where there are none, or the network takes several inputs; FileFormatError naming the file
 */
export async function readPictures(context: Context, graph: Graph, images: string, flags: PictureFlags): Promise<LabelledInput[]> {
  const [input, another] = graph.inputs
  if (input === undefined || another !== undefined) {
    throw new OptionError(`${graph.name} has ${graph.inputs.length} inputs; pictures are fed to a network that has one`)
  }
  const { signal } = context
  const found = statSync(images, { throwIfNoEntry: false })
  if (found === undefined) throw new OptionError(`${images} cannot be read: there is no such file`)
  const labelBytes = flags.labels === undefined ? undefined : await decompressed(flags.labels, signal)
  const isNumbers = labelBytes !== undefined && isIdx(labelBytes)
  if (!found.isDirectory()) {
    const numbers = isNumbers ? located(flags.labels ?? '', () => decodeIdx(labelBytes).values) : undefined
    return await readIdx(images, input, numbers, flags, signal)
  }
  if (isNumbers)
    throw new OptionError('Labels in an IDX file go with pictures in one', { remedy: 'Give a text file, one class a line' })
  const labels = labelBytes === undefined ? undefined : located(flags.labels ?? '', () => parseLabels(labelBytes))
  const files = filesIn(images).slice(0, flags.count)
  if (files.length === 0) throw new OptionError(`${images} has no .png or .jpg`)
  const inputs: LabelledInput[] = []
  for (const file of files) {
    const bytes = await readLocalFile(file, signal)
    const tensor = located(file, () => readTensor(bytes, file, { input, preprocess: preprocessing(flags) }))
    inputs.push({
      tensors: { [input.name]: tensor },
      label: labels === undefined ? undefined : classOf(relative(images, file), labels),
    })
  }
  return inputs
}

/** Pictures in a folder and the folders in it, by name. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && PICTURE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}

async function decompressed(file: string, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await readLocalFile(file, signal)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  return located(file, () => {
    try {
      return new Uint8Array(gunzipSync(bytes, { maxOutputLength: LARGEST_IDX }))
    } catch (cause) {
      throw new FileFormatError('This is no complete gzip file', {}, { cause })
    }
  })
}

async function readIdx(
  file: string,
  input: GraphInput,
  labels: Uint8Array | undefined,
  flags: PictureFlags,
  signal: AbortSignal,
): Promise<LabelledInput[]> {
  const bytes = await decompressed(file, signal)
  const { shape, values } = located(file, () => decodeIdx(bytes))
  const [count = 0, height = 0, width = 0] = shape
  if (shape.length !== 3)
    throw new FileFormatError(`${file} holds no pictures`, { shape, remedy: 'Expected [count, height, width]' })
  if (labels !== undefined && labels.length !== count) {
    throw new OptionError(`${file} has ${count} pictures, but there are ${labels.length} labels`)
  }
  const size = height * width
  return Array.from({ length: Math.min(count, flags.count ?? count) }, (_, i): LabelledInput => {
    const data = values.subarray(i * size, (i + 1) * size)
    const tensor = preprocess({ width, height, channels: 1, data }, input, preprocessing(flags))
    return { tensors: { [input.name]: tensor }, label: labels?.[i] }
  })
}

/**
 * The class that a picture's name says: that of its folder, or what its own name is or begins with, up to `_`, `-` or a space. The longest
 * name of a class counts; undefined where none is said, or two classes have it.
 */
export function classOf(path: string, labels: readonly Label[]): number | undefined {
  const own = plain(basename(path).replace(PICTURE, ''))
  const folder = plain(basename(dirname(path)))
  let best = { length: 0, index: undefined as number | undefined }
  for (const [index, { synset, name }] of labels.entries()) {
    for (const text of [...(synset === null ? [] : [synset]), ...name.split(',')]) {
      const word = plain(text)
      if (word === '' || !(folder === word || own === word || own.startsWith(`${word}_`))) continue
      if (word.length > best.length) best = { length: word.length, index }
      else if (word.length === best.length && best.index !== index) best = { ...best, index: undefined }
    }
  }
  return best.index
}

/** `Bald Eagle` and `bald-eagle` as `bald_eagle`. */
function plain(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
}
