/** A decoded picture. */
export interface Image {
  readonly width: number
  readonly height: number
  /** 3 = red, green, blue; 1 = grey. */
  readonly channels: 1 | 3
  /** height × width × channels, row by row from the top left. */
  readonly data: Uint8Array
}
