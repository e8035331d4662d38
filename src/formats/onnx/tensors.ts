/**
 * The tensors of a model (initializers and those in attributes): from the model file, or from the files beside it that
 * `external_data` names. External files are fetched once each, before anything else is looked at.
 */
import { TensorProto_DataLocation, type GraphProto, type TensorProto } from 'onnx-buf'
import { DtypeError, FileFormatError, ModelFormatError } from '../../errors.ts'
import { byteSize } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { dtypeOf, protoShape, tensorFromProto } from '../tensor-proto.ts'

/** Gives the bytes of an external data file, `location` being relative to the model file. */
export type ExternalData = (location: string) => Uint8Array | Promise<Uint8Array>

/** Reads tensors of one model. */
export class TensorReader {
  readonly #files: ReadonlyMap<string, Uint8Array>

  private constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files
  }

  /**
   * Fetches every external file that tensors of `graph` lie in.
   * @throws ModelFormatError naming the file when it is not there, or its path leads out of the model's folder.
   */
  static async open(graph: GraphProto, externalData: ExternalData | undefined): Promise<TensorReader> {
    const files = new Map<string, Uint8Array>()
    for (const proto of tensorsOf(graph)) {
      if (proto.dataLocation !== TensorProto_DataLocation.EXTERNAL) continue
      const location = checkedLocation(proto)
      if (!files.has(location)) files.set(location, await fetchFile(location, proto.name, externalData))
    }
    return new TensorReader(files)
  }

  /** @throws DtypeError for element types we do not have, ModelFormatError for data that do not fit. */
  read(proto: TensorProto, owner: string): HostTensor {
    try {
      const external = proto.dataLocation === TensorProto_DataLocation.EXTERNAL ? this.#external(proto) : undefined
      return tensorFromProto(proto, external)
    } catch (error) {
      if (error instanceof DtypeError || error instanceof ModelFormatError) throw error
      if (error instanceof FileFormatError)
        throw new ModelFormatError(error.summary, { node: owner, ...error.details }, { cause: error })
      throw new ModelFormatError('A tensor could not be read', { node: owner, tensor: proto.name }, { cause: error })
    }
  }

  /** The bytes of a tensor that lies in another file. @throws DtypeError, ModelFormatError */
  externalBytes(proto: TensorProto): Uint8Array {
    // Its length follows from a dtype that is known.
    if (dtypeOf(proto.dataType) === null) this.read(proto, proto.name)
    return this.#external(proto)
  }

  #external(proto: TensorProto): Uint8Array {
    const location = checkedLocation(proto)
    const file = this.#files.get(location)
    const dtype = dtypeOf(proto.dataType)
    if (file === undefined || dtype === null) return new Uint8Array(0)
    const entry = (key: string): number | undefined => {
      const text = proto.externalData.find((each) => each.key === key)?.value
      if (text === undefined) return undefined
      const value = Number(text)
      if (Number.isSafeInteger(value) && value >= 0) return value
      throw new ModelFormatError(`External data have ${key} '${text}', which is no byte count`, {
        tensor: proto.name,
        file: location,
      })
    }
    const offset = entry('offset') ?? 0
    const length = entry('length') ?? sizeOf(protoShape(proto.dims)) * byteSize(dtype)
    if (offset + length > file.length) {
      throw new ModelFormatError(`The file '${location}' has ${file.length} bytes, too few for a tensor in it`, {
        tensor: proto.name,
        file: location,
        limit: `bytes ${offset} to ${offset + length}`,
        remedy: 'Download the file again; it must be the one exported with this model',
      })
    }
    return file.subarray(offset, offset + length)
  }
}

/** Every tensor of a model's graph: initializers, and those in attributes. */
export function* tensorsOf(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer
  for (const node of graph.node) {
    for (const attribute of node.attribute) if (attribute.t !== undefined) yield attribute.t
  }
}

function checkedLocation(proto: TensorProto): string {
  const location = proto.externalData.find((each) => each.key === 'location')?.value
  if (location === undefined || location === '') {
    throw new ModelFormatError('External data of a tensor name no file', { tensor: proto.name })
  }
  if (/^([/\\]|[a-z]:|[a-z][a-z0-9+.-]*:\/\/)/i.test(location) || location.split(/[/\\]/).includes('..')) {
    throw new ModelFormatError(`External data lie at '${location}', outside the folder of the model`, {
      tensor: proto.name,
      remedy: 'External data must be named by a path below the model file',
    })
  }
  return location
}

async function fetchFile(location: string, tensor: string, externalData: ExternalData | undefined): Promise<Uint8Array> {
  const remedy = `Put '${location}' beside the model file`
  if (externalData === undefined) {
    throw new ModelFormatError(`The model keeps weights in the file '${location}', which was not given`, {
      tensor,
      file: location,
      remedy: `${remedy}, or hand its bytes over through externalData`,
    })
  }
  try {
    return await externalData(location)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ModelFormatError(
      `The model keeps weights in the file '${location}', which cannot be read: ${why}`,
      { tensor, file: location, remedy },
      { cause },
    )
  }
}
