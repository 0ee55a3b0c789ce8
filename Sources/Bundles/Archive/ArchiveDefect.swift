/// A defect of a single-file bundle, as the end of a sentence about it.
package struct ArchiveDefect: Error, Equatable {
  package let problem: String
  /// The part of the tar stream that cannot be read, when that is known.
  var contents: Range<Int>?
}
