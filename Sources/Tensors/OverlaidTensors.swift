/// Some tensors in the place of a base's, or beside them.
package struct OverlaidTensors: TensorSource {
  package let tensorInfos: [TensorInfo]
  private let base: any TensorSource
  private let overlay: any TensorSource
  private let removed: Set<String>

  /// - Parameter removed: names of the base that are left out.
  package init(_ base: any TensorSource, _ overlay: any TensorSource, removing removed: Set<String>)
  {
    self.base = base
    self.overlay = overlay
    self.removed = removed
    let own = base.tensorInfos.filter { !removed.contains($0.name) }
    tensorInfos =
      own.map { overlay.info(named: $0.name) ?? $0 }
      + overlay.tensorInfos.filter { info in
        removed.contains(info.name) || base.info(named: info.name) == nil
      }
  }

  package func info(named name: String) -> TensorInfo? {
    overlay.info(named: name) ?? (removed.contains(name) ? nil : base.info(named: name))
  }

  package func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try source(of: name).tensor(named: name)
  }

  package func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    try source(of: name).rows(rows, of: name)
  }

  package func rowMultiple(of name: String) -> Int {
    (overlay.info(named: name) == nil ? base : overlay).rowMultiple(of: name)
  }

  package func prefetch(_ rows: Range<Int>, of name: String) {
    (overlay.info(named: name) == nil ? base : overlay).prefetch(rows, of: name)
  }

  private func source(of name: String) throws(TensorSourceError) -> any TensorSource {
    guard info(named: name) != nil else { throw TensorSourceError(missing: name, in: self) }
    return overlay.info(named: name) == nil ? base : overlay
  }
}
