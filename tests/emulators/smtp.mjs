// A mail server, for as long as whoever started it holds its standard input open. It writes each mail that it took as a line
// of JSON. The address says what becomes of a mail: `refused…` is nobody's, `later…` is taken at the second attempt.
import { SMTPServer } from "smtp-server";
import { simpleParser } from "mailparser";

process.stdin.on("end", () => process.exit()).resume();

const refused = (responseCode, message) => Object.assign(new Error(message), { responseCode });
const asked = new Set();

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS"],
  logger: false,
  onRcptTo({ address }, session, callback) {
    if (address.startsWith("refused")) return callback(refused(550, `there is no ${address}`));
    if (address.startsWith("later") && !asked.has(address)) {
      asked.add(address);
      return callback(refused(451, `${address} is busy`));
    }
    return callback();
  },
  async onData(stream, session, callback) {
    const { subject, text, html, headerLines, messageId } = await simpleParser(stream);
    const headers = Object.fromEntries(headerLines.map(({ key, line }) => [key, line.slice(key.length + 1).trim()]));
    const to = session.envelope.rcptTo.map(({ address }) => address);
    console.log(JSON.stringify({ from: session.envelope.mailFrom.address, to, subject, text, html, headers, messageId }));
    callback();
  },
});
server.listen(0, "127.0.0.1", () => console.log(`listens on smtp://127.0.0.1:${server.server.address().port}`));
