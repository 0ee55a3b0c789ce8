import Testing

@testable import Registry

struct ChallengeTests {
  @Test func `a bearer challenge has its parameters`() {
    let challenges = Challenge.parse(
      #"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#
    )
    #expect(
      challenges == [
        Challenge(
          scheme: "bearer",
          parameters: [
            "realm": "https://auth.example/token", "service": "registry.example",
            "scope": "repository:a/b:pull,push",
          ])
      ])
  }

  @Test func `several challenges of one header are told apart`() {
    let challenges = Challenge.parse(
      #"Basic realm="a, b=\"c\"" , charset=UTF-8, BEARER Realm = https://x/t ,Negotiate"#)
    #expect(
      challenges == [
        Challenge(scheme: "basic", parameters: ["realm": #"a, b="c""#, "charset": "UTF-8"]),
        Challenge(scheme: "bearer", parameters: ["realm": "https://x/t"]),
        Challenge(scheme: "negotiate", parameters: [:]),
      ])
  }

  @Test(arguments: [
    "", ",", "=", "\"", "Bearer realm=\"", "Bearer realm=\"a\\", "Bearer =", "Bearer realm=,x=y",
    "Bearer realm", "\u{0}\u{7F}", String(repeating: "a=\"b\",", count: 10_000),
  ])
  func `a header without sense gives challenges without sense and never traps`(header: String) {
    let challenges = Challenge.parse(header)
    #expect(challenges.allSatisfy { $0.parameters["realm"]?.hasPrefix("http") != true })
  }
}
