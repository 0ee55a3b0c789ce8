/// Some tensors of a source, under other names.
package struct RenamedTensors: TensorSource {
  package let tensorInfos: [TensorInfo]
  private let source: any TensorSource
  /// New name to the tensor as the source has it.
  private let originals: [String: TensorInfo]

  /// - Precondition: the new names differ, and the tensors are in `source`.
  package init(_ names: [(name: String, original: TensorInfo)], of source: any TensorSource) {
    self.source = source
    originals = Dictionary(uniqueKeysWithValues: names.map { ($0.name, $0.original) })
    tensorInfos = names.map { Self.renamed($0.original, $0.name) }
  }

  package func info(named name: String) -> TensorInfo? {
    originals[name].map { Self.renamed($0, name) }
  }

  package func tensor(named name: String) throws(TensorSourceError) -> Tensor {
    try source.tensor(named: try original(name))
  }

  package func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    try source.rows(rows, of: try original(name))
  }

  package func rowMultiple(of name: String) -> Int {
    originals[name].map { source.rowMultiple(of: $0.name) } ?? 1
  }

  package func prefetch(_ rows: Range<Int>, of name: String) {
    if let original = originals[name] { source.prefetch(rows, of: original.name) }
  }

  private func original(_ name: String) throws(TensorSourceError) -> String {
    guard let original = originals[name] else { throw TensorSourceError(missing: name, in: self) }
    return original.name
  }

  private static func renamed(_ info: TensorInfo, _ name: String) -> TensorInfo {
    TensorInfo(name: name, shape: info.shape, elementType: info.elementType)
  }
}
