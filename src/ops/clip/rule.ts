/** A bound of clip: a number, or a bigint for i64; undefined where there is none. */
export type Bound = number | bigint | undefined
