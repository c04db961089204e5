// Whether two types are the same one, and not only assignable to each other.

export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `same<A, B>(true)` compiles where A is B, `same<A, B>(false)` where it is not. */
export function same<A, B>(_isSame: Same<A, B>): void {}
