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
  /** The message before details and remedy were added: for a caller that adds where it happened. */
  readonly summary: string
  readonly details: ErrorDetails

  constructor(message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(describe(message, details), options)
    this.name = new.target.name
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
export class ShapeError extends TilewrightError {}
/** A dtype an op, a file or a device does not take. */
export class DtypeError extends TilewrightError {}
/** An op (or a form of it) that Tilewright does not have. */
export class UnsupportedOpError extends TilewrightError {}
/** A model file that cannot be read: truncated, not a model, inconsistent. */
export class ModelFormatError extends TilewrightError {}
/** A tensor, image or label file that cannot be read. */
export class FileFormatError extends TilewrightError {}
/** A wrong option, name or value given by the caller. */
export class OptionError extends TilewrightError {}
/** More than the adapter can hold or bind. */
export class DeviceLimitError extends TilewrightError {}
/** The GPU was lost (driver reset, watchdog, unplugged, destroyed). */
export class DeviceLostError extends TilewrightError {}
/** A shader or a command that the device refused: a fault of Tilewright's. */
export class DeviceValidationError extends TilewrightError {}
/** No usable WebGPU adapter. */
export class NoAdapterError extends TilewrightError {}
/** A mapping that is not legal for its problem, hardware or dataflow. */
export class MappingError extends TilewrightError {}
/** A result that does not agree with the reference. */
export class VerificationError extends TilewrightError {}
/** Use after `dispose`. */
export class DisposedError extends TilewrightError {}
