/** Names what a file looks like from its first bytes, so that an error can say "this is a JPEG picture", not "index out of range". */

const MAGIC: readonly (readonly [name: string, offset: number, bytes: readonly number[]])[] = [
  ['a JPEG picture', 0, [0xff, 0xd8, 0xff]],
  ['a PNG picture', 0, [0x89, 0x50, 0x4e, 0x47]],
  ['a GIF picture', 0, [0x47, 0x49, 0x46, 0x38]],
  ['a BMP picture', 0, [0x42, 0x4d]],
  ['a TIFF picture', 0, [0x49, 0x49, 0x2a, 0x00]],
  ['a TIFF picture', 0, [0x4d, 0x4d, 0x00, 0x2a]],
  ['a WebP picture', 8, [0x57, 0x45, 0x42, 0x50]],
  ['a RIFF file', 0, [0x52, 0x49, 0x46, 0x46]],
  ['a NumPy array (.npy)', 0, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]],
  ['a zip archive (a PyTorch checkpoint or .npz is one)', 0, [0x50, 0x4b, 0x03, 0x04]],
  ['a gzip archive', 0, [0x1f, 0x8b]],
  ['an HDF5 file (a Keras model is one)', 0, [0x89, 0x48, 0x44, 0x46]],
  ['a GGUF model', 0, [0x47, 0x47, 0x55, 0x46]],
  ['a TensorFlow Lite model', 4, [0x54, 0x46, 0x4c, 0x33]],
  ['a PDF document', 0, [0x25, 0x50, 0x44, 0x46]],
  ['a WebAssembly module', 0, [0x00, 0x61, 0x73, 0x6d]],
  ['a program (ELF)', 0, [0x7f, 0x45, 0x4c, 0x46]],
  ['a Python pickle', 0, [0x80, 0x02]],
  ['a Python pickle', 0, [0x80, 0x04]],
]

/** "a JPEG picture", "text", "an empty file", ...; `null` where nothing is recognised. */
export function sniff(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return 'an empty file'
  for (const [name, offset, magic] of MAGIC) {
    if (magic.every((byte, at) => bytes[offset + at] === byte)) return name
  }
  if (bytes.length > 10 && bytes[8] === 0x7b && bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0) return 'a safetensors file'
  return isText(bytes) ? textKind(bytes) : null
}

/** "it is empty" / "it looks like text" / "its first bytes are 08 0a …": the end of a sentence about a file. */
export function looksLike(bytes: Uint8Array): string {
  const kind = sniff(bytes)
  if (kind !== null) return `it looks like ${kind}`
  const head = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return `it has ${bytes.length} bytes and starts with ${head}`
}

function isText(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, 512)
  let printable = 0
  for (const byte of head) {
    const white = byte === 9 || byte === 10 || byte === 13
    if (byte < 32 && !white) return false
    if (white || (byte >= 32 && byte < 127)) printable++
  }
  return printable / head.length > 0.9
}

function textKind(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 512)).trimStart().toLowerCase()
  if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer (the file itself was not downloaded)'
  if (text.startsWith('<!doctype html') || text.startsWith('<html')) return 'a web page'
  if (text.startsWith('{') || text.startsWith('[')) return 'JSON or other text'
  return 'text'
}
