import Adapters
import Evaluation
import Files
import JSON
import Kernels
import Models
import SystemPackage
import TestSupport

/// A trained sample model with what PyTorch predicts on it.
struct Sample {
  static let directory = Vectors.repository.appending("samples")
  static let names = ["llama", "gemma"]

  let path: FilePath
  private let expected: JSONValue
  let kernels: Kernels

  init(_ name: String) throws {
    path = Self.directory.appending(name)
    let file = Self.directory.appending("data").appending("expected.json")
    expected = try JSONValue(contentsOf: file)[name] ?? nil
    kernels = try Kernels(threadCount: 2)
  }

  func adapters(_ names: [String]) throws -> [AdapterStack.Member] {
    try names.map { AdapterStack.Member(try Adapter(path.appending($0), with: kernels)) }
  }

  func model(_ adapterNames: [String]) throws -> LanguageModel {
    try LanguageModel(
      path.appending("base"), adapters: adapters(adapterNames), with: kernels)
  }

  /// The first questions of the test set, enough to see a difference and few enough to be quick.
  static func questions() throws -> QuestionSet {
    let path = directory.appending("data").appending("test.jsonl")
    return QuestionSet(try QuestionSet(contentsOf: path).questions.prefix(8))
  }

  /// One row of the table: adapters, and the predictions in the order of the test set.
  struct Row {
    let adapters: [String]
    let prompt: String
    let source: String?
    let predictions: [String]

    /// The setting of `ExactMatch` that asks the same.
    var setting: ExactMatch.Setting {
      switch (prompt, source) {
      case ("source", _): .sourceText
      case (_, "own"): .target
      case (_, "next"): .wrongSource
      default: .withoutSource
      }
    }
  }

  func rows() throws -> [(name: String, row: Row)] {
    let rows = try JSONFields(expected["rows"] ?? nil, subject: "expected.json")
    return try rows.members.compactMap { name, value in
      let fields = try JSONFields(value, subject: name)
      let row = Row(
        adapters: try fields.required("adapters"), prompt: try fields.required("prompt"),
        source: try fields.optional("source"), predictions: try fields.required("predictions"))
      // The adapter of one row was trained for the table alone.
      return row.adapters.allSatisfy { path.appending($0).isDirectory } ? (name, row) : nil
    }
  }

  /// A prompt with the tokens that follow it.
  struct Greedy {
    let adapters: [String]
    let prompt: String
    let source: String?
    let tokens: [Int]
  }

  func greedy() throws -> [Greedy] {
    try (expected["greedy"]?.array ?? []).map { value in
      let fields = try JSONFields(value, subject: "greedy")
      return Greedy(
        adapters: try fields.required("adapters"), prompt: try fields.required("prompt"),
        source: try fields.optional("source"), tokens: try fields.required("tokens"))
    }
  }
}
