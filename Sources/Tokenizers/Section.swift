import JSON

/// One object of `tokenizer.json`, read with errors that say where it stands.
///
/// Every component of a tokenizer (a normalizer, the model, a decoder...) is such an object with a
/// `type` and options of its own. An option that is unknown and says something is refused: it could
/// change the ids.
struct Section {
  private let fields: JSONFields

  init(_ value: JSONValue, subject: String) throws(TokenizerError) {
    do throws(JSONFieldError) {
      fields = try JSONFields(value, subject: subject)
    } catch {
      throw TokenizerError(.malformed, error.description)
    }
  }

  var subject: String { fields.subject }

  /// The keys of the object, in the order of the file.
  var keys: [String] { Array(fields.members.keys) }

  /// A key with a twin that differs in bytes only.
  var ambiguousKey: String? { fields.members.ambiguousKey }

  func required<Value: JSONReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(TokenizerError) -> Value {
    do throws(JSONFieldError) {
      return try fields.required(key, as: type)
    } catch {
      throw TokenizerError(.malformed, error.description)
    }
  }

  func optional<Value: JSONReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(TokenizerError) -> Value? {
    do throws(JSONFieldError) {
      return try fields.optional(key, as: type)
    } catch {
      throw TokenizerError(.malformed, error.description)
    }
  }

  /// The value under `key` as it stands, or nil when it is absent or null.
  func value(_ key: String) -> JSONValue? {
    guard let value = fields.members[key], value != .null else { return nil }
    return value
  }

  /// The object under `key`, or nil when it is absent or null.
  func section(_ key: String) throws(TokenizerError) -> Section? {
    guard let value = value(key) else { return nil }
    return try Section(value, subject: "\(subject): '\(key)'")
  }

  /// The list of objects under `key`; an absent list is empty.
  func sections(_ key: String) throws(TokenizerError) -> [Section] {
    guard let value = value(key) else { return [] }
    guard let values = value.array else {
      throw malformed("'\(key)' is \(value.shortDescription), expected a list of objects")
    }
    var sections: [Section] = []
    for (index, value) in values.enumerated() {
      sections.append(try Section(value, subject: "\(subject): '\(key)'[\(index)]"))
    }
    return sections
  }

  /// Refuses every option that says something and is not among `known`.
  func allowOnly(_ known: Set<String>) throws(TokenizerError) {
    for (key, value) in fields.members where !known.contains(key) && !value.isVacuous {
      throw unsupported("option '\(key)' is \(value.shortDescription) and is not supported")
    }
  }

  func malformed(_ problem: String) -> TokenizerError {
    TokenizerError(.malformed, "\(subject): \(problem)")
  }

  func unsupported(_ problem: String) -> TokenizerError {
    TokenizerError(.unsupported, "\(subject): \(problem)")
  }

  /// The refusal of a component whose `type` is not among `known`.
  func unknownType(_ type: String, known: String) -> TokenizerError {
    unsupported("type '\(type)' is not supported (known: \(known))")
  }
}
