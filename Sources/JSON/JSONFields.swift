/// A member of a JSON object that is missing or has the wrong type, in words.
public struct JSONFieldError: Error, Hashable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Typed reading of one JSON object, with errors that say which file and which key.
///
/// `subject` names the object in messages, usually a file name: `config.json: 'hidden_size' is
/// "abc", expected an integer`.
public struct JSONFields: Sendable {
  public let subject: String
  public let members: JSONObject

  /// - Throws: `JSONFieldError` when `value` is not an object.
  public init(_ value: JSONValue, subject: String) throws(JSONFieldError) {
    guard let members = value.object else {
      throw JSONFieldError("\(subject): got \(value.shortDescription), expected an object")
    }
    self.subject = subject
    self.members = members
  }

  /// The value of `key` as it stands, or nil when the key is absent.
  public subscript(key: String) -> JSONValue? { members[key] }

  /// The value of `key`.
  ///
  /// - Throws: `JSONFieldError` when the key is absent, null, or of another type.
  public func required<Value: JSONReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(JSONFieldError) -> Value {
    guard let value = try optional(key, as: type) else {
      throw JSONFieldError("\(subject): '\(key)' is missing, expected \(Value.jsonTypeName)")
    }
    return value
  }

  /// The value of `key`, or nil when it is absent or null.
  ///
  /// - Throws: `JSONFieldError` when the key has a value of another type.
  public func optional<Value: JSONReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(JSONFieldError) -> Value? {
    guard let value = members[key], value != .null else { return nil }
    guard let result = Value(json: value) else {
      throw JSONFieldError(
        "\(subject): '\(key)' is \(value.shortDescription), expected \(Value.jsonTypeName)")
    }
    return result
  }

  /// The values of a key that holds one value or a list of them; none when it is absent or null.
  ///
  /// - Throws: `JSONFieldError` when a value is of another type.
  public func oneOrMany<Value: JSONReadable>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(JSONFieldError) -> [Value] {
    switch members[key] {
    case nil, .null: return []
    case .array: return try required(key)
    default: return [try required(key)]
    }
  }

  /// The case whose raw value `key` holds, or nil when it is absent or null.
  ///
  /// - Throws: `JSONFieldError` when the key has any other value.
  public func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, as type: Choice.Type = Choice.self
  ) throws(JSONFieldError) -> Choice? {
    guard let name = try optional(key, as: String.self) else { return nil }
    guard let choice = Choice(rawValue: name) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw JSONFieldError(
        "\(subject): '\(key)' is \"\(name)\", which is unknown (known: \(known))")
    }
    return choice
  }

  /// The object under `key` as fields of their own, or nil when it is absent or null.
  ///
  /// - Throws: `JSONFieldError` when the key has a value that is not an object.
  public func fields(_ key: String) throws(JSONFieldError) -> JSONFields? {
    guard let value = members[key], value != .null else { return nil }
    return try JSONFields(value, subject: "\(subject): '\(key)'")
  }

  /// The objects of the list under `key`, none when it is absent or null.
  ///
  /// - Throws: `JSONFieldError` when the key has another value, and what `element` throws.
  public func list<Element>(
    _ key: String, of element: (JSONFields) throws(JSONFieldError) -> Element
  ) throws(JSONFieldError) -> [Element] {
    guard let value = members[key], value != .null else { return [] }
    guard let values = value.array else {
      throw JSONFieldError(
        "\(subject): '\(key)' is \(value.shortDescription), expected a list of objects")
    }
    var elements: [Element] = []
    for (position, value) in values.enumerated() {
      elements.append(
        try element(JSONFields(value, subject: "\(subject): '\(key)' \(position + 1)")))
    }
    return elements
  }
}

/// A Swift type that one JSON value can become.
public protocol JSONReadable {
  /// What a message calls the type, with its article.
  static var jsonTypeName: String { get }
  init?(json: JSONValue)
}

extension String: JSONReadable {
  public static var jsonTypeName: String { "a string" }
  public init?(json: JSONValue) {
    guard let value = json.string else { return nil }
    self = value
  }
}

extension Int: JSONReadable {
  public static var jsonTypeName: String { "an integer" }
  public init?(json: JSONValue) {
    guard let value = json.integer else { return nil }
    self = value
  }
}

extension Double: JSONReadable {
  public static var jsonTypeName: String { "a number" }
  public init?(json: JSONValue) {
    guard let value = json.number else { return nil }
    self = value
  }
}

extension Bool: JSONReadable {
  public static var jsonTypeName: String { "true or false" }
  public init?(json: JSONValue) {
    guard let value = json.boolean else { return nil }
    self = value
  }
}

extension Array: JSONReadable where Element: JSONReadable {
  public static var jsonTypeName: String { "a list, each \(Element.jsonTypeName)" }
  public init?(json: JSONValue) {
    guard let values = json.array else { return nil }
    let elements = values.compactMap { Element(json: $0) }
    guard elements.count == values.count else { return nil }
    self = elements
  }
}

extension JSONValue {
  /// The value in a few words, for messages.
  public var shortDescription: String {
    let text = serialized()
    return text.count <= 40 ? text : String(text.prefix(37)) + "..."
  }
}
