/**
 * Every error a caller can meet has a class of its own, and its message says what, where (node, op, dtype, shape, limit)
 * and what to do. Think of `details` as the same message for a program.
 */
export interface ErrorDetails {
  readonly node?: string
  readonly op?: string
  readonly dtype?: string
  readonly shape?: readonly (number | string)[]
  readonly limit?: string
  readonly remedy?: string
  readonly [key: string]: unknown
}

/** Base of all named errors. `message` = what happened, then `details` as `key value` pairs, then the remedy. */
export class TilewrightError extends Error {
  /** Written out in every class: a minifier renames classes, and the name is part of the contract. */
  override name = 'TilewrightError'
  /** The message before details and remedy were added: for a caller that adds where it happened. */
  readonly summary: string
  readonly details: ErrorDetails

  constructor(message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(describe(message, details), options)
    this.summary = message
    this.details = details
  }
}

function describe(message: string, { remedy, ...rest }: ErrorDetails): string {
  const facts = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}`)
  const where = facts.length > 0 ? ` (${facts.join('; ')})` : ''
  return `${message}${where}${remedy === undefined ? '' : `. ${remedy}`}`
}

/** Shapes, ranks or element counts that do not fit an op or a buffer. */
export class ShapeError extends TilewrightError {
  override name = 'ShapeError'
}
/** A dtype an op, a file or a device does not take. */
export class DtypeError extends TilewrightError {
  override name = 'DtypeError'
}
/** An op (or a form of it) that Tilewright does not have. */
export class UnsupportedOpError extends TilewrightError {
  override name = 'UnsupportedOpError'
}
/** A model file that cannot be read: truncated, not a model, inconsistent. */
export class ModelFormatError extends TilewrightError {
  override name = 'ModelFormatError'
}
/** A tensor, image or label file that cannot be read. */
export class FileFormatError extends TilewrightError {
  override name = 'FileFormatError'
}
/** A wrong option, name or value given by the caller. */
export class OptionError extends TilewrightError {
  override name = 'OptionError'
}
/** More than the adapter can hold or bind. */
export class DeviceLimitError extends TilewrightError {
  override name = 'DeviceLimitError'
}
/** The GPU was lost (driver reset, watchdog, unplugged, destroyed). */
export class DeviceLostError extends TilewrightError {
  override name = 'DeviceLostError'
}
/** A shader or a command that the device refused: a fault of Tilewright's. */
export class DeviceValidationError extends TilewrightError {
  override name = 'DeviceValidationError'
}
/** No usable WebGPU adapter. */
export class NoAdapterError extends TilewrightError {
  override name = 'NoAdapterError'
}
/** A mapping that is not legal for its problem, hardware or dataflow. */
export class MappingError extends TilewrightError {
  override name = 'MappingError'
}
/** A result that does not agree with the reference. */
export class VerificationError extends TilewrightError {
  override name = 'VerificationError'
}
/** Use after `dispose`. */
export class DisposedError extends TilewrightError {
  override name = 'DisposedError'
}
