/** A decoded picture, and how large one may be. */
export interface Image {
  readonly width: number
  readonly height: number
  /** 3 = red, green, blue; 1 = grey. */
  readonly channels: 1 | 3
  /** height × width × channels, row by row from the top left. */
  readonly data: Uint8Array
}

/** Pictures of more pixels are refused: nothing here needs them, and a forged header must not allocate gigabytes. */
export const MAX_PIXELS = 100_000_000
