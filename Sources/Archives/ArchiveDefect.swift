/// A defect of an archive, as the end of a sentence about it.
package struct ArchiveDefect: Error, Equatable {
  package let problem: String
  /// The part of the tar stream that cannot be read, when that is known.
  package var contents: Range<Int>?

  package init(problem: String, contents: Range<Int>? = nil) {
    self.problem = problem
    self.contents = contents
  }
}
