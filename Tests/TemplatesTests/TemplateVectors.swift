import JSON
import SystemPackage
import Templates
import TestSupport

/// What jinja2 made of templates, written by `tools/make_template_vectors.py`.
struct TemplateVectors {
  struct Case {
    let name: String
    let template: String
    let variables: JSONObject
    /// nil when jinja2 has an error.
    let expected: String?
    /// "raised" for an error of the template's own, "error" for any other.
    let error: String?
    let message: String?
  }

  let cases: [Case]
  /// What the short templates see.
  let variables: JSONObject

  /// When the vectors were written, for `strftime_now`.
  static let now = CalendarDate(year: 2024, month: 7, day: 26, hour: 15, minute: 4, second: 5)

  init() throws {
    let json = try JSONValue(contentsOf: Vectors.path("templates/cases.json"))
    let variables = json["variables"]?.object ?? [:]
    let tokens = json["tokens"]?.object ?? [:]
    self.variables = variables
    let directory = Vectors.repository.appending("tools").appending("templates")
    cases = try (json["cases"]?.array ?? []).map { entry in
      var template = entry["template"]?.string ?? ""
      var seen = variables
      if let file = entry["file"]?.string, let name = entry["conversation"]?.string {
        template = try directory.appending(file).readText()
        seen = tokens
        for (key, value) in json["conversations"]?[name]?.object ?? [:] { seen[key] = value }
      }
      return Case(
        name: entry["name"]?.string ?? "", template: template, variables: seen,
        expected: entry["expected"]?.string, error: entry["error"]?.string,
        message: entry["message"]?.string)
    }
  }
}
