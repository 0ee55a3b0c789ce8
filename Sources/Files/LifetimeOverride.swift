/// Ties a span that was built from a pointer to the object that owns the memory.
///
/// The standard library keeps its own copy of this function private, so every package that
/// returns spans from classes carries these few lines.
@unsafe
@_unsafeNonescapableResult
@_lifetime(borrow owner)
@inline(always)
package func _overrideLifetime<Span: ~Copyable & ~Escapable, Owner: ~Copyable & ~Escapable>(
  _ span: consuming Span, borrowing owner: borrowing Owner
) -> Span {
  span
}

/// The same for a span through which `owner` can be changed.
@unsafe
@_unsafeNonescapableResult
@_lifetime(&owner)
@inline(always)
package func _overrideLifetime<Span: ~Copyable & ~Escapable, Owner: ~Copyable & ~Escapable>(
  _ span: consuming Span, mutating owner: inout Owner
) -> Span {
  span
}
