extension Tensor {
  /// Every element of a float32 tensor times `factor`.
  ///
  /// - Precondition: the element type is float32.
  package func scaled(by factor: Float) -> Tensor {
    let elements = floatElements
    return Tensor(elements.indices.map { elements[$0] * factor }, shape: shape)
  }
}
