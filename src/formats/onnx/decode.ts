/**
 * Bytes to an ONNX ModelProto, or a ModelFormatError that says what the file is instead. Protobuf itself accepts a good deal of
 * noise as "unknown fields", so the message must also have what every model has: an IR version, a graph, an operator set.
 */
import { fromBinary } from '@bufbuild/protobuf'
import { ModelProtoSchema, Version, type GraphProto, type ModelProto } from 'onnx-buf'
import { ModelFormatError } from '../../errors.ts'
import { looksLike } from '../sniff.ts'

const EXPECTED = 'Expected an ONNX model: a binary protobuf ModelProto (.onnx). Export or download it again'
const NEWEST_IR = Number(Version.IR_VERSION)

export interface DecodedModel {
  readonly model: ModelProto
  readonly graph: GraphProto
  readonly irVersion: number
  /** Operator set version by domain; the domain of ONNX's own ops is ''. */
  readonly opsets: ReadonlyMap<string, number>
}

/** @throws ModelFormatError for anything that is no complete ONNX model. */
export function decodeModel(bytes: Uint8Array): DecodedModel {
  let model: ModelProto
  try {
    model = fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw new ModelFormatError(
      `This is no readable ONNX model: it is truncated, damaged or something else (${looksLike(bytes)})`,
      { bytes: bytes.length, remedy: EXPECTED },
      { cause },
    )
  }
  const irVersion = Number(model.irVersion)
  const { graph } = model
  if (irVersion < 1 || graph === undefined) {
    const missing = irVersion < 1 ? 'an IR version' : 'a graph'
    throw new ModelFormatError(`This is no ONNX model: it lacks ${missing} (${looksLike(bytes)})`, {
      bytes: bytes.length,
      remedy: EXPECTED,
    })
  }
  if (irVersion > NEWEST_IR) {
    throw new ModelFormatError(`IR version ${irVersion} is newer than Tilewright knows`, {
      limit: `IR versions 1 to ${NEWEST_IR}`,
      remedy: 'Export the model with an older ir_version',
    })
  }
  return { model, graph, irVersion, opsets: opsetsOf(model, irVersion) }
}

function opsetsOf(model: ModelProto, irVersion: number): Map<string, number> {
  const opsets = new Map<string, number>()
  for (const entry of model.opsetImport) {
    const domain = canonicalDomain(entry.domain)
    const version = Number(entry.version)
    const known = opsets.get(domain)
    if (known !== undefined && known !== version) {
      throw new ModelFormatError(`Domain ${domainName(domain)} is imported in two versions, ${known} and ${version}`)
    }
    opsets.set(domain, version)
  }
  if (opsets.size === 0) {
    if (irVersion >= 3) throw new ModelFormatError('The model does not name its operator set (opset_import)', { remedy: EXPECTED })
    opsets.set('', 1)
  }
  return opsets
}

/** 'ai.onnx' and '' are one domain. */
export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

export function domainName(domain: string): string {
  return domain === '' ? 'ai.onnx' : domain
}
