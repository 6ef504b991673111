// What the command files of accounts share: options taken out of words, results of failures, patterns,
// accounts as people name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/commands.h"
#include "lib/error.h"
#include "lib/form/form.h"

namespace accounts {

/// The words of one command, without "account add" and the like.
using Words = std::vector<std::string>;

/// Takes a flag out; true if it was there.
bool take_flag(Words& words, std::string_view flag);
/// Takes every `--option VALUE` and `--option=VALUE` out, values in order. False if the last one has no
/// value.
bool take_option(Words& words, std::string_view option, std::vector<std::string>& values);
/// A word that is left and begins with "--"; empty if there is none.
[[nodiscard]] std::string unknown_option(const Words& words);

/// `why` begins with the command, "account show: ...": the usage that follows is that command's.
[[nodiscard]] CommandResult usage(std::string_view why);
[[nodiscard]] CommandResult refused(std::string text);
[[nodiscard]] CommandResult failed(const po::Error& error);
/// All problems, one a line; a file with thousands shows the first of them.
[[nodiscard]] CommandResult refused(const std::vector<form::Problem>& problems, std::string_view consequence);

/// An array of JSON, one of its objects a line.
[[nodiscard]] std::string json_lines(const std::vector<std::string>& objects);

/// `*` and `?`, letter case aside; a pattern without either matches anywhere inside.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

/// By login name or address; else by number, with or without '#'. Permanent failure if there is none.
[[nodiscard]] po::Result<directory::Account> find_account(const Administration& administration,
                                                          std::string_view who);
/// "5" or "#5".
[[nodiscard]] std::optional<std::uint64_t> read_number(std::string_view text);

/// Who asks, and of what.
struct Office {
  Administration& admin;
  const Caller& caller;
};

CommandResult run_account_command(const Office& office, Words words, std::string_view input);
CommandResult run_form_command(const Office& office, Words words, std::string_view input);
CommandResult run_alias_command(const Office& office, Words words, std::string_view input);
CommandResult run_domain_command(const Office& office, Words words, std::string_view input);
CommandResult run_route_command(const Office& office, Words words, std::string_view input);
CommandResult run_relay_password_command(const Office& office, Words words, std::string_view input);
CommandResult run_app_password_command(const Office& office, Words words, std::string_view input);
/// Behind "account sign-ins".
CommandResult run_sign_ins_command(const Office& office, Words words);

}  // namespace accounts
