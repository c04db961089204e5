// Whether two types are identical, and not only assignable to each other.

export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `same<A, B>(true)` compiles if A is B, `same<A, B>(false)` if it is not. */
export function same<A, B>(_isSame: Same<A, B>): void {}
