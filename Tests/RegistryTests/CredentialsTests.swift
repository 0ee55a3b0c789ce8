import Files
import SystemPackage
import TestSupport
import Testing

@testable import Registry

struct CredentialsTests {
  @Test func `the environment gives credentials for the host that is asked about`() throws {
    let credentials = try RegistryCredentials(
      for: "Registry.example",
      environment: ["FLARE_REGISTRY_USER": "ada", "FLARE_REGISTRY_PASSWORD": "p:w"])
    #expect(credentials?.host == "registry.example")
    // "ada:p:w" by `base64`.
    #expect(credentials?.basicAuthorization == "Basic YWRhOnA6dw==")
    #expect(try RegistryCredentials(for: "registry.example", environment: [:]) == nil)
  }

  @Test func `half of the credentials is an error`() {
    let error = #expect(throws: RegistryError.self) {
      try RegistryCredentials(for: "r.example", environment: ["FLARE_REGISTRY_USER": "ada"])
    }
    #expect(
      error?.description
        == "r.example: FLARE_REGISTRY_USER is set and FLARE_REGISTRY_PASSWORD is not")
  }

  @Test func `a user with a colon is refused`() {
    #expect(throws: RegistryError.self) {
      try RegistryCredentials(host: "r.example", user: "a:b", password: "c")
    }
  }

  @Test func `printing credentials does not print the password`() throws {
    let credentials = try RegistryCredentials(host: "r.example", user: "ada", password: "secret")
    var dumped = ""
    dump(credentials, to: &dumped)
    #expect(!"\(credentials) \(String(reflecting: credentials)) \(dumped)".contains("secret"))
  }

  private func docker(_ text: String, host: String) throws -> RegistryCredentials? {
    try withTemporaryDirectory { folder in
      let path = folder.appending("config.json")
      try path.overwrite(text)
      return try DockerConfiguration(path).credentials(for: host)
    }
  }

  @Test(arguments: [
    ("r.example:5000", "r.example:5000"), ("https://r.example/v2/", "r.example"),
    ("R.example", "r.example"), ("https://index.docker.io/v1/", "registry-1.docker.io"),
  ])
  func `docker's config.json gives the credentials of a host`(key: String, host: String) throws {
    let text = """
      {"auths": {"other.example": {"auth": "eDp5"}, "\(key)": {"auth": "YWRhOnA6dw=="}}}
      """
    let credentials = try docker(text, host: host)
    let expected = try RegistryCredentials(host: host, user: "ada", password: "p:w")
    #expect(credentials == expected)
    #expect(try docker(text, host: "third.example") == nil)
  }

  @Test func `an entry whose secret a helper keeps gives none`() throws {
    let text = #"{"auths": {"r.example": {}}, "credsStore": "desktop"}"#
    #expect(try docker(text, host: "r.example") == nil)
  }

  @Test(arguments: [
    #"{"auths": {"r.example": {"auth": "%%%"}}}"#, #"{"auths": {"r.example": {"auth": "YWRh"}}}"#,
    #"{"auths": {"r.example": {"auth": 5}}}"#, #"{"auths": {"r.example": 5}}"#, #"{"auths": []}"#,
  ])
  func `an entry that cannot be read is an error and not anonymity`(text: String) {
    let error = #expect(throws: RegistryError.self) { try docker(text, host: "r.example") }
    #expect(error?.code == .malformedCredentials)
  }

  @Test func `the environment comes before config.json`() throws {
    try withTemporaryDirectory { home in
      try home.appending(".docker").appending("config.json").writeNew(
        #"{"auths": {"r.example": {"auth": "YWRhOnA6dw=="}}}"#)
      var environment = ["HOME": home.string]
      #expect(
        try RegistryCredentials.find(for: "r.example", environment: environment)?.user == "ada")
      #expect(try RegistryCredentials.find(for: "s.example", environment: environment) == nil)
      environment["FLARE_REGISTRY_USER"] = "bob"
      environment["FLARE_REGISTRY_PASSWORD"] = "x"
      #expect(
        try RegistryCredentials.find(for: "r.example", environment: environment)?.user == "bob")
    }
  }

  @Test func `config.json is looked for where docker looks`() throws {
    try withTemporaryDirectory { home in
      #expect(DockerConfiguration.defaultPath(environment: ["HOME": home.string]) == nil)
      let path = home.appending(".docker").appending("config.json")
      try path.writeNew("{}")
      #expect(DockerConfiguration.defaultPath(environment: ["HOME": home.string]) == path)
      #expect(
        DockerConfiguration.defaultPath(
          environment: ["HOME": "/nowhere", "DOCKER_CONFIG": path.removingLastComponent().string])
          == path)
      #expect(DockerConfiguration.defaultPath(environment: [:]) == nil)
    }
  }
}
