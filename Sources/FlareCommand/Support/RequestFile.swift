import Adapters
import Files
import JSON
import Kernels
import Models
import SystemPackage

/// Requests read from a JSONL file, one a line.
struct RequestFile {
  struct Line {
    let number: Int
    /// As it was given; nil without.
    let id: JSONValue?
    let request: GenerationRequest
  }

  let lines: [Line]

  private static let keys = [
    "prompt", "source", "n", "id", "temperature", "top_k", "top_p", "min_p", "seed",
  ]

  /// Reads requests and checks that `model` can answer every one.
  ///
  /// - Parameters:
  ///   - path: `-` for standard input.
  ///   - defaults: what a line does not say.
  /// - Throws: `RequestFileError` with the number of the first line that is no request or that the
  ///   model cannot answer; `FileError`.
  init(
    _ path: FilePath, for model: LanguageModel, _ defaults: GenerationArguments,
    _ sourceOptions: SourceOptions
  ) throws {
    func refuse(_ detail: String) -> RequestFileError {
      RequestFileError(description: "\(path == "-" ? "standard input" : path.string): \(detail)")
    }
    func line(_ json: JSONValue, _ number: Int) throws -> Line {
      let fields = try JSONFields(json, subject: "request")
      if let key = fields.members.keys.first(where: { !Self.keys.contains($0) }) {
        throw JSONFieldError(
          "request: '\(key)' is unknown (known: \(Self.keys.joined(separator: ", ")))")
      }
      let source = try fields.optional("source", as: String.self).map {
        Source(
          .tokens(try model.encode($0)), alignment: sourceOptions.sourceAlignment,
          isContinued: sourceOptions.sourceDecode)
      }
      let request = GenerationRequest(
        try model.encode(fields.required("prompt")), source: source,
        try defaults.reading(fields).options())
      try model.check(request)
      return Line(number: number, id: fields["id"], request: request)
    }
    do {
      if path == "-" {
        let bytes = try FileDescriptor.standardInput.readToEnd()
        lines = try JSONValue.lines(of: bytes.span, line)
      } else {
        let file = try MappedFile(path)
        lines = try JSONValue.lines(of: Span(_bytes: file.bytes), line)
      }
    } catch let error as JSONLineError {
      throw refuse("\(error)")
    }
    guard !lines.isEmpty else { throw refuse("holds no requests") }
  }
}

/// A defect in a file of requests.
struct RequestFileError: FlareError {
  let description: String
  var kind: FailureKind { .badInput }
}

extension GenerationArguments {
  /// The same with what a request says itself.
  fileprivate func reading(_ fields: JSONFields) throws -> GenerationArguments {
    var own = self
    own.maximumTokenCount = try fields.optional("n") ?? maximumTokenCount
    own.temperature =
      try fields.optional("temperature", as: Double.self).map(Float.init)
      ?? temperature
    own.topK = try fields.optional("top_k") ?? topK
    own.topP = try fields.optional("top_p", as: Double.self).map(Float.init) ?? topP
    own.minP = try fields.optional("min_p", as: Double.self).map(Float.init) ?? minP
    if let seed = try fields.optional("seed", as: Int.self) {
      guard seed >= 0 else {
        throw JSONFieldError("request: 'seed' is \(seed), expected 0 or more")
      }
      own.seed = UInt64(seed)
    }
    guard own.maximumTokenCount ?? 0 >= 0 else {
      throw JSONFieldError("request: 'n' is \(own.maximumTokenCount ?? 0), expected 0 or more")
    }
    return own
  }
}
