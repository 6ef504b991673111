// WebServer: commands of post.office(8) that accounts runs itself. Their input and output may be as large as
// on the command line, so both come and go in pieces.
#include <fmt/core.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "accounts/command_server.h"
#include "accounts/web_orders.h"
#include "accounts/web_server.h"
#include "lib/net_address.h"

namespace accounts {

namespace messages = po::messages;
using messages::WebStanding;

namespace {

std::string_view why_not(WebStanding standing) {
  switch (standing) {
    case WebStanding::kGood:
      break;
    case WebStanding::kNobody:
      return "log in again: the session is over\n";
    case WebStanding::kNotAllowed:
      return "only a Postmaster may do this\n";
    case WebStanding::kForged:
      return "this did not come from a page of this session; load the page again\n";
    case WebStanding::kUnavailable:
      return "the databases cannot be read now; try again\n";
  }
  return "";
}

}  // namespace

/// There may be passwords in it.
void WebServer::RunningCommand::forget_input() {
  OPENSSL_cleanse(input.data(), input.size());
  std::string().swap(input);
}

void WebServer::drop_commands(PipeId pipe) {
  std::erase_if(commands_, [&](const auto& command) { return command.first.pipe == pipe; });
}

/// Until its last frame came, or Abandon, a command is kept: else the next piece of its input would be taken
/// for the first one of another.
bool WebServer::on_command(Asker asker, po::Frame& frame) {
  messages::WebCommand ask;
  if (!frame.decode(ask)) return false;
  auto running = commands_.find(asker);
  if (running == commands_.end()) return begin_command(asker, std::move(ask));
  RunningCommand& command = *running->second;
  if (command.input_over) return false;
  if (!command.answered) {
    feed_command(asker, command, std::move(ask));
  } else {
    command.input_over = !ask.more;
    if (command.output.all_sent() && command.input_over) commands_.erase(running);
  }
  return true;
}

/// The command may be gone, because nobody asked for so long. Asked before a piece came, it says nothing new.
bool WebServer::on_more_output(Asker asker, po::Frame& frame) {
  messages::WebMoreOutput more;
  if (!frame.decode(more)) return false;
  auto running = commands_.find(asker);
  if (running == commands_.end() || running->second->wanted) return true;
  running->second->wanted = true;
  pump(asker);
  return true;
}

bool WebServer::on_abandon(Asker asker, po::Frame& frame) {
  messages::Abandon abandon;
  if (!frame.decode(abandon)) return false;
  commands_.erase(asker);
  return true;
}

bool WebServer::begin_command(Asker asker, messages::WebCommand ask) {
  OrderRight right = command_right(ask.words);
  Looked who =
      look(ask.caller, right == OrderRight::kChanges ? Needs::kSeal : Needs::kNothing, For::kPostmaster);
  if (right == OrderRight::kNone && who.good()) who.standing = WebStanding::kNotAllowed;
  if (commands_of(asker.pipe) >= kMostCommands) {
    send(asker, messages::CommandOutput{{}, "too many commands at once; try again\n", true, kExitTemporary});
    return !ask.more;
  }
  auto& command = commands_[asker] = std::make_unique<RunningCommand>();
  WebStanding standing = who.standing;
  command->who = std::move(who);
  command->words = std::move(ask.words);
  if (standing != WebStanding::kGood) {
    command->input_over = !ask.more;
    std::uint8_t code = standing == WebStanding::kUnavailable ? kExitTemporary : kExitNotAllowed;
    answer_command(asker, {{}, std::string(why_not(standing)), code});
    return true;
  }
  parts_.log.event("web-command")
      .kv("web", command->who.session.id)
      .kv("who", caller_of(command->who).who)
      .kv("client", po::address_text(command->who.client))
      .kv("command", command_for_log(command->words));
  feed_command(asker, *command, std::move(ask));
  return true;
}

std::size_t WebServer::commands_of(PipeId pipe) const {
  return static_cast<std::size_t>(std::count_if(
      commands_.begin(), commands_.end(), [&](const auto& command) { return command.first.pipe == pipe; }));
}

/// Half of an import that does not go on must not fill the memory.
void WebServer::feed_command(Asker asker, RunningCommand& command, messages::WebCommand ask) {
  std::size_t all = ask.input.size();
  for (const auto& [other, running] : commands_) all += running->input.size();
  command.input_over = !ask.more;
  if (all > kMostInput) {
    command.forget_input();
    return answer_command(
        asker, {{},
                fmt::format("this and other input on its way are larger than {} octets\n", kMostInput),
                kExitRefused});
  }
  command.input += ask.input;
  OPENSSL_cleanse(ask.input.data(), ask.input.size());
  if (command.input_over) return run_command_of(asker, command);
  command.stalled.after(parts_.loop, kStalled, [this, asker, &command] {
    command.forget_input();
    answer_command(asker, {{}, "the input did not come to its end\n", kExitTemporary});
  });
}

void WebServer::run_command_of(Asker asker, RunningCommand& command) {
  command.answered = true;
  command.stalled.cancel();
  parts_.authenticator.sign_ins().flush();  // the command may show them
  struct Job {
    Looked who;
    std::vector<std::string> words;
    std::string input;
    CommandResult result;
  };
  auto job = std::make_shared<Job>(
      Job{command.who, std::move(command.words), std::move(command.input), CommandResult{}});
  parts_.writer.run(
      [&admin = parts_.administration, key = parts_.authenticator.credentials_key(), job] {
        auto rights = web_rights(admin, key, job->who.session, job->who.client);
        if (!rights)
          job->result = {{}, std::string(why_not(WebStanding::kUnavailable)), kExitTemporary};
        else if (!rights->over.empty() || !rights->postmaster)
          job->result = {{}, std::string(why_not(WebStanding::kNotAllowed)), kExitNotAllowed};
        else
          job->result = run_command(admin, caller_of(job->who), job->words, job->input);
        OPENSSL_cleanse(job->input.data(), job->input.size());
      },
      [this, asker, job] {
        parts_.changed();
        answer_command(asker, std::move(job->result));
      });
}

void WebServer::answer_command(Asker asker, CommandResult result) {
  auto running = commands_.find(asker);
  if (running == commands_.end()) return;  // abandoned, or the pipe is gone
  running->second->answered = true;
  running->second->output = CommandOutput(std::move(result));
  pump(asker);
}

void WebServer::pump(Asker asker) {
  auto running = commands_.find(asker);
  auto pipe = pipes_.find(asker.pipe);
  if (running == commands_.end() || pipe == pipes_.end()) return;
  RunningCommand& command = *running->second;
  if (!command.wanted || command.output.all_sent()) return;
  if (!command.output.send_one(*pipe->second.channel, asker.serial))
    return command.again.after(parts_.loop, CommandOutput::kAgain, [this, asker] { pump(asker); });
  command.wanted = false;
  if (!command.output.all_sent())
    return command.stalled.after(parts_.loop, kUnwanted, [this, asker] { commands_.erase(asker); });
  command.stalled.cancel();
  if (command.input_over) commands_.erase(running);
}

}  // namespace accounts
