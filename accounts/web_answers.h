// What the answers to wwwd have in common: what became of what was asked for. Callers: accounts/web_*.cc.
#pragma once

#include <string>

#include "lib/error.h"
#include "lib/web_messages.h"

namespace accounts {

/// To a caller who may ask: done, or why not.
template <class M, class T>
void say(M& answer, const po::Result<T>& result) {
  answer.standing = po::messages::WebStanding::kGood;
  answer.kind = result ? po::Kind::kDone : result.error().kind;
  answer.text = result ? std::string() : result.error().text;
}

/// Of a change that was not made.
[[nodiscard]] inline po::messages::WebDone failure(const po::Error& error) {
  po::messages::WebDone done;
  done.kind = error.kind;
  done.text = error.text;
  return done;
}

}  // namespace accounts
