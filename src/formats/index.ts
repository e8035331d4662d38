/** Model, tensor, picture and label files: bytes to values and back. Nothing here needs a GPU or Node. */
import { FileFormatError } from '../errors.ts'
import type { GraphInput } from '../graph/graph.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { decodeImage } from './image.ts'
import { decodeNpy } from './npy.ts'
import { preprocess, type PreprocessOptions } from './preprocess.ts'
import { looksLike, sniff } from './sniff.ts'
import { decodeTensorProto } from './tensor-proto.ts'

export { decodeImage, type Image } from './image.ts'
export { resizeImage } from './image/resize.ts'
export { parseLabels, type Label } from './labels.ts'
export { decodeNpy, encodeNpy, type NpyOptions } from './npy.ts'
export { importOnnx, type ExternalData, type ImportedModel, type ImportOptions } from './onnx.ts'
export { exportOnnx } from './onnx/export.ts'
export { centreCrop, preprocess, PRESETS, SAMPLINGS, type PreprocessOptions, type Preset, type Sampling } from './preprocess.ts'
export { decodeSafetensors, encodeSafetensors, type SafetensorsFile } from './safetensors.ts'
export { loadTwoOfFour, saveTwoOfFour } from './two-of-four.ts'
export { loadSemiStructured, saveSemiStructured, type SemiStructuredFile } from './two-of-four-torch.ts'
export { decodeTensorProto, encodeTensorProto } from './tensor-proto.ts'

export interface ReadTensorOptions {
  /** The model's input that the tensor is for; pictures need it to know their size. */
  readonly input?: Pick<GraphInput, 'shape' | 'dtype'> | undefined
  /** How pictures become tensors; see preprocess. */
  readonly preprocess?: PreprocessOptions | undefined
}

const TENSOR_FILES = 'Give a tensor as .npy or .pb, or a picture as .png, .jpg or .jpeg'

/**
 * Reads the tensor in a file: .npy, .pb (ONNX TensorProto), .png, .jpg, .jpeg. The extension says what is expected; a file whose
 * content is something else is refused.
 * Pictures are preprocessed for `options.input`, or without it come as u8 [1, channels, height, width].
 * @throws FileFormatError naming the file when it cannot be read; DtypeError, OptionError, ShapeError from the readers.
 */
export function readTensor(bytes: Uint8Array, fileName: string, options: ReadTensorOptions = {}): HostTensor {
  const extension = /\.([^./\\]+)$/.exec(fileName)?.[1]?.toLowerCase() ?? ''
  const found = sniff(bytes)
  switch (extension) {
    case 'npy':
      return named(fileName, () => decodeNpy(bytes))
    case 'pb':
      return named(fileName, () => decodeTensorProto(bytes).tensor)
    case 'png':
    case 'jpg':
    case 'jpeg': {
      const image = named(fileName, () => decodeImage(bytes))
      const input = options.input ?? ({ dtype: 'u8', shape: [1, image.channels, image.height, image.width] } as const)
      return preprocess(image, input, options.preprocess)
    }
    default:
      throw new FileFormatError(`The file '${fileName}' is of no kind that tensors are read from (${found ?? looksLike(bytes)})`, {
        file: fileName,
        remedy: TENSOR_FILES,
      })
  }
}

/** Adds the file's name to the error of a file that cannot be read. */
function named<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof FileFormatError) throw new FileFormatError(`${file}: ${error.summary}`, error.details, { cause: error })
    throw error
  }
}
