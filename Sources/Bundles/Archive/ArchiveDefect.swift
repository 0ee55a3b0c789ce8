/// A defect of a single-file bundle, as the end of a sentence about it.
package struct ArchiveDefect: Error, Equatable {
  package let problem: String
}
