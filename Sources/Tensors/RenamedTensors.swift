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
    guard let original = originals[name] else { throw TensorSourceError(missing: name, in: self) }
    return try source.tensor(named: original.name)
  }

  private static func renamed(_ info: TensorInfo, _ name: String) -> TensorInfo {
    TensorInfo(name: name, shape: info.shape, elementType: info.elementType)
  }
}
