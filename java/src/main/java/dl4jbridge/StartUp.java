package dl4jbridge;

import java.io.IOException;

/** Does a little of everything, so that Java can list the classes that a start needs. */
public final class StartUp {
    private static final int CLASSES = 256;
    private static final int STEPS = 4;
    private static final String SETTINGS = String.join("\n", "inputs=256", "outputs=256", "layer=fused",
            "gradient_state=carried", "layers=2", "hidden=32", "tbptt=4", "init=wide", "updater=adam",
            "learning_rate=0.01", "l2=0", "weight_decay=0", "clip=1", "dropout=0", "seed=1");

    private StartUp() {}

    /** Trains, saves to the file that is named, loads it again, and listens. */
    public static void main(String[] arguments) throws IOException {
        dl4jbridge.fused.Workers.setThreads(2);
        Network network = Network.create(SETTINGS);
        Tensor samples = Tensor.zeros("FLOAT", "f", new long[] {2, CLASSES, STEPS});
        for (int b = 0; b < 2; b++) {
            for (int t = 0; t < STEPS; t++) {
                samples.array().putScalar(new int[] {b, t, t}, 1);
            }
        }
        for (int i = 0; i < 2; i++) {
            network.step(samples, samples, STEPS, i == 0, i);
        }
        network.save(arguments[0], true);
        Network again = Network.load(arguments[0], SETTINGS);
        again.restoreState("0/prevAct", network.state().get("0/prevAct"));
        Tensor indices = Tensor.zeros("UBYTE", "c", new long[] {STEPS});
        Tensor probabilities = Tensor.zeros("FLOAT", "c", new long[] {STEPS, CLASSES});
        again.stream().run(indices, probabilities, STEPS);
        again.batchStream().run(samples, Tensor.zeros("FLOAT", "f", new long[] {2, CLASSES, STEPS}), STEPS);
    }
}
