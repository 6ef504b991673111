// A directory and secrets in a temporary folder, for the tests of accounts.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "accounts/administration.h"
#include "accounts/commands.h"

struct Office {
  Office() {
    char name[] = "/tmp/accounts-test-XXXXXX";
    folder = ::mkdtemp(name);
    open();
  }
  ~Office() {
    admin.reset();
    std::filesystem::remove_all(folder);
  }
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  void open() {
    auto opened = accounts::Administration::open({.directory_path = folder + "/directory",
                                                  .secrets_path = folder + "/secrets",
                                                  .hostname = "mail.podunk.edu"});
    REQUIRE(opened);
    admin = std::move(*opened);
  }
  accounts::CommandResult run(const std::vector<std::string>& words, std::string_view input = {}) {
    return accounts::run_command(*admin, caller, words, input);
  }
  /// Runs a command that must succeed; its output.
  std::string good(const std::vector<std::string>& words, std::string_view input = {}) {
    auto result = run(words, input);
    CAPTURE(words, result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  }

  std::string folder;
  accounts::Caller caller{.who = "root", .from = {}, .way = "command", .administrator = true};
  std::unique_ptr<accounts::Administration> admin;
};
