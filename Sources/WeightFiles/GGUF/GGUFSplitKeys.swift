/// The metadata keys by which the files of a split model say which part each is.
enum GGUFSplitKeys {
  /// The number of a file, from 0.
  static let number = "split.no"
  /// How many files there are.
  static let count = "split.count"
  /// How many tensors they have together.
  static let tensorCount = "split.tensors.count"
}
