import JSON
import Templates
import TestSupport
import Testing

struct LimitTests {
  private func error(_ text: String, _ limits: TemplateLimits = TemplateLimits()) -> TemplateError?
  {
    do throws(TemplateError) {
      _ = try Template(text, limits: limits).render([:])
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    "{{ 'x' * 100000000000 }}", "{{ [1] * 9223372036854775807 }}", "{{ 'x'.center(99999999999) }}",
    "{{ '%999999999d' % 1 }}", "{{ range(100001) }}",
    "{% set s = 'a' * 1000000 %}{{ s.replace('a', s) }}",
    "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ \(String(repeating: "(", count: 1000))1\(String(repeating: ")", count: 1000)) }}",
    "{{ 1\(String(repeating: "+1", count: 1000)) }}",
  ])
  func `what takes too much room is a limit with a place`(template: String) {
    let error = error(template)
    #expect(error?.code == .limit)
    #expect(error?.position?.line == 1)
  }

  @Test func `a template that loops without end runs out of steps`() {
    var limits = TemplateLimits()
    limits.stepCount = 10_000
    let loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    #expect(error(loop, limits)?.code == .limit)
    #expect(error("{% for a in range(99) %}{% endfor %}", limits) == nil)
  }

  @Test(arguments: [
    "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 9223372036854775807 + 1 }}", "{{ 10 ** 100 }}",
    "{{ (-9223372036854775807 - 1)|abs }}", "{{ 1e300|int }}",
    "{{ range(0, 9223372036854775807) }}",
    "{{ 'a'.encode() }}", "{% if true %}{{ 1|frobnicate }}{% endif %}", "{% include 'x' %}",
  ])
  func `what Python can and Flare cannot is refused by name`(template: String) {
    #expect(error(template)?.code == .unsupported)
  }

  @Test func `extreme bounds are no trap`() throws {
    let (low, high) = ("(-9223372036854775807 - 1)", "9223372036854775807")
    for text in [
      "'abc'[\(low):\(high):\(high)]", "'abc'[\(high):\(low):\(low)]", "'abc'[\(low)]",
      "'abc'.find('c', \(low), \(high))", "'abc'.startswith('c', \(high))", "'abc'.center(\(low))",
      "'abc'.zfill(\(low))", "'a b'.split(none, \(high))", "range(9)[::\(high)]|list",
      "'abc'|truncate(\(high), leeway=\(high))", "'abc'|indent(\(low))",
    ] {
      _ = try Template("{{ \(text) }}").render([:])
    }
  }

  /// Mutations of templates that are right: most are not any more, and none may trap.
  @Test func `damaged templates are rendered or refused`() throws {
    let templates = try TemplateVectors().cases.filter { $0.name.hasPrefix("expression") }
    var random = SeededGenerator(seed: 7)
    var limits = TemplateLimits()
    limits.stepCount = 20_000
    limits.textLength = 100_000
    let pieces =
      Array("{}%#-+()[]|.,:~*'\"\\ n0x9").map(String.init) + [
        "{%", "%}", "{{", "}}", " if ", " for ", " in ", " is ", "endfor", "endif", " not ", "**",
        "//",
      ]
    var refused = 0
    for round in 0..<3 {
      for example in templates {
        var text = Array(example.template)
        for _ in 0...round where !text.isEmpty {
          let start = Int.random(in: 0..<text.count, using: &random)
          let end = min(text.count, start + Int.random(in: 0..<4, using: &random))
          text.replaceSubrange(start..<end, with: pieces.randomElement(using: &random) ?? "")
        }
        do {
          _ = try Template(String(text), limits: limits).render(example.variables)
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > templates.count)
  }
}
