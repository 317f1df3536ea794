package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;

import java.util.ArrayList;
import java.util.List;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Inference by a network of fused layers only: what MultiLayerNetwork.rnnTimeStep computes, with the products of
 * {@link FusedStack}. Each thread takes its part of the batch from the input to the outputs. Nothing is kept for a backward
 * pass.
 */
public final class FusedBatch {
    private final FusedRecurrentLayer[] layers; // from the input up
    private final Recurrence[] recurrences;
    private final RecurrentWeights[] weights;
    private final OutputLoss output;
    private final OutputLoss.Weights outputWeights;
    private final IActivation activation;
    private final List<Runnable> layOuts = new ArrayList<>();

    private FusedBatch(MultiLayerNetwork net) {
        int n = net.getnLayers() - 1;
        layers = new FusedRecurrentLayer[n];
        recurrences = new Recurrence[n];
        weights = new RecurrentWeights[n];
        FusedRnnOutputLayer last = (FusedRnnOutputLayer) net.getOutputLayer();
        output = last.loss();
        outputWeights = last.weights();
        activation = ((RnnOutputLayer) last.conf().getLayer()).getActivationFn();
        layOuts.add(() -> output.layOutForward(outputWeights));
        for (int i = 0; i < n; i++) {
            layers[i] = (FusedRecurrentLayer) net.getLayer(i);
            recurrences[i] = layers[i].recurrence();
            recurrences[i].setForwardOnly();
            weights[i] = layers[i].weights();
            int layer = i;
            for (int g = 0; g < GATES; g++) {
                int gate = g;
                layOuts.add(() -> recurrences[layer].layOut(weights[layer], gate));
            }
        }
    }

    /**
     * Takes over a network for inference; null if it has other layers.
     *
     * @param net  of no use for training afterwards
     */
    public static FusedBatch of(MultiLayerNetwork net) {
        int top = net.getnLayers() - 1;
        boolean covered = net.getLayer(top) instanceof FusedRnnOutputLayer
                && net.getLayerWiseConfigurations().getInputPreProcessors().isEmpty();
        for (int i = 0; i < top; i++) {
            covered &= net.getLayer(i) instanceof FusedRecurrentLayer;
        }
        return covered && top > 0 ? new FusedBatch(net) : null;
    }

    /**
     * Computes the outputs of some time steps and carries the state on.
     *
     * @param x        [batch, inputs, steps], FLOAT
     * @param outputs  receives the first steps of each recording: [batch, at least steps, outputs], FLOAT, 'c' order
     */
    public void run(INDArray x, INDArray outputs) {
        layers[0].check(x, layers[0].hidden());
        int top = layers.length - 1;
        recurrences[0].begin(x, layers[0].hidden(), layers[0].cell(), layers[0].size());
        for (int i = 1; i <= top; i++) {
            recurrences[i].begin(recurrences[i - 1], layers[i].hidden(), layers[i].cell(), layers[i].size());
        }
        output.begin((int) x.size(0), layers[top].size(), (int) x.size(2), outputWeights);
        int fromLayOuts = recurrences[0].hasManyRows() ? layOuts.size() : 1;
        Workers.run(fromLayOuts, task -> layOuts.get(task).run());
        Memory into = Memory.of(outputs);
        Scratch[] scratch = Scratch.of(recurrences[0].parts());
        Workers.run(recurrences[0].parts(), part -> {
            for (int i = 0; i <= top; i++) {
                recurrences[i].part(part).forward(weights[i], null, null, scratch[part]);
            }
            output.forwardPart(part, recurrences[top].part(part).outputs(), activation, into, (int) outputs.size(1));
        });
        for (int i = 0; i <= top; i++) {
            layers[i].carryState();
            recurrences[i].keepInput();
            weights[i].keep();
        }
        outputWeights.keep();
        into.keep();
    }
}
